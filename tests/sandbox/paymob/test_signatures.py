"""Signatures: the documented order of fields, the same over the callback, the redirect and the saved card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from sandboxes.paymob import signatures
from tests.paymob_process import HMAC, PaymobProcess
from tests.sandbox.receiver import Receiver

# Written by hand from the documented order of fields; not issued by Paymob.
VECTORS = json.loads((Path(__file__).parent / "hmac_vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_the_vectors_are_signed_as_written(vector: dict[str, Any]) -> None:
    sign = signatures.of_card_token if vector["name"] == "card_token" else signatures.of_transaction

    assert sign(vector["obj"], VECTORS["secret"]) == vector["hmac"]


def test_the_order_of_the_fields_is_the_documented_one() -> None:
    assert list(signatures.TRANSACTION) == VECTORS["transaction_order"]
    assert list(signatures.CARD_TOKEN) == VECTORS["card_token_order"]


def hmac_of(path: str) -> str:
    return dict(parse_qsl(urlsplit(path).query))["hmac"]


def test_callbacks_carry_their_signature_in_the_address(paymob: PaymobProcess, receiver: Receiver) -> None:
    paymob.pay(paymob.intention(notification_url=f"{receiver.url}?shop=1"), save=True)
    [paid] = receiver.wait_for("TRANSACTION")
    [saved] = receiver.wait_for("TOKEN")

    by_type = {
        json.loads(body)["type"]: path for (_, body), path in zip(receiver.received, receiver.paths, strict=True)
    }
    assert by_type["TRANSACTION"].startswith("/hook?shop=1&hmac=")
    assert hmac_of(by_type["TRANSACTION"]) == signatures.of_transaction(paid["obj"], HMAC)
    assert hmac_of(by_type["TOKEN"]) == signatures.of_card_token(saved["obj"], HMAC)
    assert saved["obj"]["masked_pan"] == "xxxx-xxxx-xxxx-2346"


def test_the_redirect_is_signed_like_the_callback(paymob: PaymobProcess) -> None:
    made = paymob.intention(redirection_url="https://shop.example/back?task=7", special_reference="a b&c")
    answer = paymob.control("POST", f"intentions/{made['id']}/pay")
    given = dict(parse_qsl(urlsplit(answer["redirect_url"]).query, keep_blank_values=True))

    assert (given["task"], given["merchant_order_id"], given["success"]) == ("7", "a b&c", "true")
    assert given["order"] == str(made["intention_order_id"])
    nested = {
        **given,
        "order": {"id": given["order"]},
        "source_data": {name: given[f"source_data.{name}"] for name in ("pan", "sub_type", "type")},
    }
    assert given["hmac"] == signatures.of_transaction(nested, HMAC)
    assert given["hmac"] == signatures.of_transaction(answer["transaction"], HMAC)


def test_the_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setenv("PAYMOB_SANDBOX_HMAC", "another")
    with PaymobProcess(seed=1) as own:
        own.pay(own.intention(notification_url=receiver.url))
        [paid] = receiver.wait_for("TRANSACTION")

    assert hmac_of(receiver.paths[0]) == signatures.of_transaction(paid["obj"], "another")
