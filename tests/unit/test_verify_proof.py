"""The verification of signatures in `tools/verify_proof.py`, which is its own, against the library that signs."""

import importlib.util
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import settings as made_up
from hypothesis import strategies as st

from tests.sandbox_process import ROOT

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("verify_proof", ROOT / "tools" / "verify_proof.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_refused(script: ModuleType, message: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the signature is not accepted; many changed ones do not even begin with a point of the curve."""
    try:
        return not script.is_signed(message, signature, public)
    except script.Invalid:
        return True


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_it_accepts_the_signatures_of_the_standard(script: ModuleType, key: str, message: str, signature: str) -> None:
    assert script.is_signed(bytes.fromhex(message), bytes.fromhex(signature), bytes.fromhex(key))


@made_up(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
def test_it_accepts_what_was_signed_and_no_changed_bit(
    script: ModuleType, seed: bytes, message: bytes, bit: int
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert script.is_signed(message, signature, public)
    assert not script.is_signed(message + b"x", signature, public)
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8
    assert is_refused(script, message, bytes(changed), public)


def test_it_refuses_a_second_form_of_a_signature(script: ModuleType) -> None:
    """The same signature with the order added to its scalar would verify without the bound."""
    private = Ed25519PrivateKey.from_private_bytes(b"7" * 32)
    public, signature = private.public_key().public_bytes_raw(), private.sign(b"text")
    scalar = int.from_bytes(signature[32:], "little") + script.ORDER
    assert not script.is_signed(b"text", signature[:32] + scalar.to_bytes(32, "little"), public)


@pytest.mark.parametrize("length", [0, 63, 65])
def test_it_refuses_other_lengths(script: ModuleType, length: int) -> None:
    assert not script.is_signed(b"", bytes(length), bytes(32))
