"""The Ed25519 keys that sign statements: the present one and the public keys of earlier ones. Keys are hexadecimal."""

import base64
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

_ID_LENGTH: Final = 16


def sign(text: str) -> str:
    """Return the signature of a text by the present key, in base64."""
    return base64.b64encode(_private().sign(text.encode())).decode()


def is_signed(text: str, signature: str, public_key: str) -> bool:
    """Return whether a signature in base64 is that of a public key under a text."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(
            base64.b64decode(signature, validate=True), text.encode()
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def public_key() -> str:
    """Return the public half of the present signing key."""
    return _private().public_key().public_bytes_raw().hex()


def published() -> list[str]:
    """Return the present public key and those of earlier signing keys."""
    earlier: list[str] = settings.PROOF_OLD_PUBLIC_KEYS
    return list(dict.fromkeys([public_key(), *earlier]))


def key_id(public: str) -> str:
    """Return the id by which a public key is named: the beginning of its SHA-256."""
    return sha256(bytes.fromhex(public)).hexdigest()[:_ID_LENGTH]


def pem(public: str) -> str:
    """Return a public key as a PEM file, which openssl reads."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _private() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(settings.PROOF_SIGNING_KEY))
