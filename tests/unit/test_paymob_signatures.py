"""Callbacks of Paymob: what is signed cannot be changed, and what is not signed is not trusted.

The vectors are our own, made by the documented order of the fields; none was issued by Paymob.
"""

import hashlib
import hmac
import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from multitask.payments.provider import InboundEvent, InvalidSignature, Subject
from multitask.providers.paymob import signatures
from multitask.providers.paymob.adapter import PaymobProvider
from multitask.providers.paymob.configuration import Configuration

SECRET = "test_hmac_secret"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PAID: dict[str, Any] = {
    "amount_cents": 25050,
    "created_at": "2026-03-01T10:15:30.123456",
    "currency": "EGP",
    "error_occured": False,
    "has_parent_transaction": False,
    "id": 1001,
    "integration_id": 2002,
    "is_3d_secure": True,
    "is_auth": False,
    "is_capture": False,
    "is_refunded": False,
    "is_standalone_payment": True,
    "is_voided": False,
    "order": {"id": 3003},
    "owner": 4004,
    "pending": False,
    "source_data": {"pan": "2346", "sub_type": "MasterCard", "type": "card"},
    "success": True,
}
REFUND = PAID | {
    "amount_cents": 5000,
    "has_parent_transaction": True,
    "id": 1002,
    "is_3d_secure": False,
    "is_standalone_payment": False,
}
KIOSK = PAID | {
    "id": 1003,
    "is_3d_secure": False,
    "pending": True,
    "source_data": {"pan": None, "sub_type": "AGGREGATOR", "type": "aggregator"},
    "success": False,
}
CARD = {
    "card_subtype": "Visa",
    "created_at": "2026-03-01T10:15:31.000001",
    "email": "a@example.com",
    "id": 5005,
    "masked_pan": "xxxx-xxxx-xxxx-1111",
    "merchant_id": 4004,
    "order_id": "3003",
    "token": "tok_example",
}
VECTORS = [
    (
        "TRANSACTION",
        PAID,
        "250502026-03-01T10:15:30.123456EGPfalsefalse10012002truefalsefalsefalsetruefalse30034004false2346MasterCard"
        "cardtrue",
        "49bb7983c98cf479ba58d75f06cf648c5f85fd07f24480375fa30db774270981b0042c558e69ef9382c6bc940ec3cf5d5465ab284f8a96b"
        "4c48711a43a888153",
    ),
    (
        "TRANSACTION",
        REFUND,
        "50002026-03-01T10:15:30.123456EGPfalsetrue10022002falsefalsefalsefalsefalsefalse30034004false2346MasterCard"
        "cardtrue",
        "87ea6a4b5d5d3754e20b84e68395949445eb28eb50099112a181a0517d66594cfab356a2f6a084994b17ebe17a8ed2209da881f7ae2c611"
        "f70abb097110976bc",
    ),
    (
        "TRANSACTION",
        KIOSK,
        "250502026-03-01T10:15:30.123456EGPfalsefalse10032002falsefalsefalsefalsetruefalse30034004trueAGGREGATOR"
        "aggregatorfalse",
        "7402dba803aec82c3d1582c49c10423275cdbf3205a2dda4bc582e5219500e27ed6a2ba3e93dcf4cc7e4258afeba64806c056e16281716a"
        "76d4154fbb90e401f",
    ),
    (
        "TOKEN",
        CARD,
        "Visa2026-03-01T10:15:31.000001a@example.com5005xxxx-xxxx-xxxx-111140043003tok_example",
        "cffd4ff54302f3d4f2945abe5dcdaed4ec5376f46863e76272e1ca7a31a9f248954b1c22e395e234a89da33318aa9e7199a937183ec1df2"
        "cbd78cb314ae75c19",
    ),
]


def provider(secret: str = SECRET) -> PaymobProvider:
    return PaymobProvider(
        Configuration(
            secret_key="egy_sk_test_1",
            public_key="egy_pk_test_1",
            hmac_secret=secret,
            api_key="key",
            integration_ids=(2002,),
            api_base="http://127.0.0.1:1",
            notification_url="http://127.0.0.1:1/hook",
            redirection_url="http://127.0.0.1:1/back",
            payout_base="http://127.0.0.1:1",
        )
    )


def signed(kind: str, obj: dict[str, Any], secret: str = SECRET) -> str:
    message = "".join(signatures.signed_values(kind, obj))
    return hmac.new(secret.encode(), message.encode(), hashlib.sha512).hexdigest()


def verify(kind: str, obj: dict[str, Any], given: str, *, secret: str = SECRET) -> InboundEvent:
    body = json.dumps({"type": kind, "obj": obj}).encode()
    return provider(secret).verify_webhook(body=body, headers={}, endpoint="", now=NOW, query={"hmac": given})


def refusal(kind: str, obj: Any, given: str, *, secret: str = SECRET) -> str:
    with pytest.raises(InvalidSignature) as refused:
        verify(kind, obj, given, secret=secret)
    return refused.value.code


def with_field(obj: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    changed = deepcopy(obj)
    inner = changed
    *parents, last = name.split(".")
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return changed


@pytest.mark.parametrize(("kind", "obj", "message", "expected"), VECTORS)
def test_the_vectors_are_signed_as_they_are(kind: str, obj: dict[str, Any], message: str, expected: str) -> None:
    values = signatures.signed_values(kind, obj)
    assert "".join(values) == message
    assert signatures.sign(values, SECRET) == expected
    assert verify(kind, obj, expected).id


@pytest.mark.parametrize(
    ("kind", "obj", "name"),
    [(kind, obj, name) for kind, obj, _, _ in VECTORS for name in signatures.SIGNED_FIELDS[kind]],
)
def test_a_changed_signed_field_is_refused(kind: str, obj: dict[str, Any], name: str) -> None:
    given = signed(kind, obj)
    value: Any = obj
    for part in name.split("."):
        value = value[part]
    changed = (not value) if isinstance(value, bool) else f"{'' if value is None else value}1"
    if type(value) is int:
        changed = value + 1

    assert refusal(kind, with_field(obj, name, changed), given) == "signature_mismatch"


@pytest.mark.parametrize(
    ("kind", "obj", "name"),
    [(kind, obj, name) for kind, obj, _, _ in VECTORS[2:] for name in signatures.SIGNED_FIELDS[kind]],
)
def test_a_missing_signed_field_is_refused(kind: str, obj: dict[str, Any], name: str) -> None:
    changed = deepcopy(obj)
    inner = changed
    *parents, last = name.split(".")
    for parent in parents:
        inner = inner[parent]
    del inner[last]

    assert refusal(kind, changed, signed(kind, obj)) == "not_an_event"


def test_unsigned_fields_change_nothing() -> None:
    forged = PAID | {
        "merchant_order_id": "create_payment:1:1:1",
        "is_refund": True,
        "is_void": True,
        "refunded_amount_cents": 25050,
        "parent_transaction": 999,
        "is_live": True,
        "extras": {"order": 1},
        "order": {"id": 3003, "merchant_order_id": "create_payment:1:1:1", "amount_cents": 1},
    }

    assert verify("TRANSACTION", forged, signed("TRANSACTION", PAID)) == verify(
        "TRANSACTION", PAID, signed("TRANSACTION", PAID)
    )


def test_an_event_names_the_payment_by_its_order_and_transaction_alone() -> None:
    event = verify("TRANSACTION", PAID, signed("TRANSACTION", PAID))

    assert (event.subject, event.object_id, event.kind) == (Subject.PAYMENT, "3003/1001", "transaction.paid")
    assert event.related == {"payment": "3003"}
    assert event.created_at == datetime(2026, 3, 1, 8, 15, 30, 123456, tzinfo=UTC), "Cairo is two hours ahead"
    assert event.quarantine_reason == ""


def test_a_saved_card_is_kept_and_changes_nothing() -> None:
    event = verify("TOKEN", CARD, signed("TOKEN", CARD))

    assert (event.subject, event.object_id, event.kind) == (Subject.NOTHING, "", "token.saved")


def test_a_saved_card_whose_digits_move_between_fields_is_the_same_event() -> None:
    """It is acted upon by the event alone, so it must not be taken twice."""
    moved = CARD | {"id": int(str(CARD["id"])[:-1]), "masked_pan": f"{str(CARD['id'])[-1]}{CARD['masked_pan']}"}

    event = verify("TOKEN", moved, signed("TOKEN", CARD))

    assert event.id == verify("TOKEN", CARD, signed("TOKEN", CARD)).id


def test_the_same_state_is_the_same_event_and_another_state_another() -> None:
    first = verify("TRANSACTION", PAID, signed("TRANSACTION", PAID))
    again = verify("TRANSACTION", PAID | {"is_live": True}, signed("TRANSACTION", PAID))
    refunded = PAID | {"is_refunded": True}
    later = verify("TRANSACTION", refunded, signed("TRANSACTION", refunded))

    assert first.id == again.id != later.id


def test_the_id_of_an_event_cannot_be_computed_without_the_secret() -> None:
    """All signed values but a wallet's number are stored, and of a bare hash the number could be guessed."""
    paid = PAID | {"source_data": {"pan": "01098765432", "sub_type": "wallet", "type": "wallet"}}
    event = verify("TRANSACTION", paid, signed("TRANSACTION", paid))
    bare = "".join(signatures.describe(signatures.signed_values("TRANSACTION", paid)))

    assert hashlib.sha256(bare.encode()).hexdigest()[:40] not in event.id


def test_digits_that_move_between_fields_make_another_event_which_is_held() -> None:
    """Values are signed without separators, so this message is the one of `PAID`."""
    moved = PAID | {"id": 10012, "integration_id": "002"}
    event = verify("TRANSACTION", moved, signed("TRANSACTION", PAID))

    assert event.id != verify("TRANSACTION", PAID, signed("TRANSACTION", PAID)).id
    assert "not configured" in event.quarantine_reason


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("", "signature_missing"),
        ("0" * 127, "signature_malformed"),
        ("0" * 129, "signature_malformed"),
        ("ü" * 128, "signature_malformed"),
        ("0" * 128, "signature_mismatch"),
    ],
)
def test_other_signatures_are_refused(given: str, code: str) -> None:
    assert refusal("TRANSACTION", PAID, given) == code


def test_the_signature_is_of_lower_case() -> None:
    assert refusal("TRANSACTION", PAID, signed("TRANSACTION", PAID).upper()) == "signature_mismatch"


@pytest.mark.parametrize("secret", ["", "  "])
def test_without_a_secret_nothing_is_signed(secret: str) -> None:
    assert refusal("TRANSACTION", PAID, signed("TRANSACTION", PAID, secret), secret=secret) == "signature_mismatch"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"type": "TRANSACTION"}',
        b'{"type": "TRANSACTION", "obj": []}',
        b'{"type": "DELIVERY_STATUS", "obj": {}}',
        b'{"type": ["TRANSACTION"], "obj": {}}',
        b"[" * 100_000,
    ],
)
def test_other_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidSignature) as refused:
        provider().verify_webhook(body=body, headers={}, endpoint="", now=NOW, query={"hmac": "0" * 128})
    assert refused.value.code == "not_an_event"


@pytest.mark.parametrize("value", [1.5, [], {}, "\ud800"])
def test_a_value_that_cannot_be_signed_is_refused(value: object) -> None:
    assert refusal("TRANSACTION", PAID | {"owner": value}, "0" * 128) == "not_an_event"


@pytest.mark.parametrize("value", [0, -1, "", "x", None])
def test_an_event_without_an_order_is_refused(value: object) -> None:
    obj = PAID | {"order": {"id": value}}
    assert refusal("TRANSACTION", obj, signed("TRANSACTION", obj)) == "not_an_event"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "transaction.paid"),
        ({"success": False}, "transaction.declined"),
        ({"error_occured": True}, "transaction.declined"),
        ({"pending": True}, "transaction.pending"),
        ({"is_voided": True}, "transaction.refunded"),
        ({"is_refunded": True}, "transaction.refunded"),
        ({"has_parent_transaction": True}, "transaction.child"),
    ],
)
def test_the_kind_is_a_word_for_what_the_signed_fields_say(changes: dict[str, Any], kind: str) -> None:
    obj = PAID | changes
    assert verify("TRANSACTION", obj, signed("TRANSACTION", obj)).kind == kind


@pytest.mark.parametrize(
    ("body", "payout_id"),
    [
        (b'{"transaction_id": "7b3e-1", "disbursement_status": "success"}', "7b3e-1"),
        (b'{"transaction_id": 17}', "17"),
        (b'{"transaction_id": true}', ""),
        (b'{"transaction_id": null}', ""),
        (b'{"transaction_id": ["x"]}', ""),
        (b'{"transaction_id": "' + b"x" * 65 + b'"}', ""),
        (b'{"transaction_id": "a\\nb"}', ""),
        (b'{"transaction_id": "x", "pad": "' + b"x" * 20_000 + b'"}', ""),
        (b"nothing", ""),
        (b"[]", ""),
    ],
)
def test_a_hint_is_an_id_and_nothing_else(body: bytes, payout_id: str) -> None:
    assert provider().hinted_payout(body) == payout_id
