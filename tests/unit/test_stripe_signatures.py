"""Webhooks without a valid signature are refused, however they are malformed."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from multitask.payments.provider import InboundEvent, InvalidSignature, Subject
from multitask.providers.stripe.adapter import StripeProvider
from multitask.providers.stripe.configuration import Configuration

PLATFORM_SECRET = "whsec_platform"
CONNECT_SECRET = "whsec_connect"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "created": 1_772_366_400,
    "livemode": False,
    "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
}


def provider(**changes: str) -> StripeProvider:
    configuration = Configuration(
        secret_key="sk_test_1",
        publishable_key="pk_test_1",
        webhook_secret=PLATFORM_SECRET,
        connect_webhook_secret=CONNECT_SECRET,
        api_base="http://127.0.0.1:1",
    )
    return StripeProvider(replace(configuration, **changes))  # type: ignore[arg-type]


def signature(body: bytes, *, secret: str = PLATFORM_SECRET, at: datetime = NOW) -> str:
    """Sign as Stripe documents it, without the SDK, so that the two are compared."""
    stamp = int(at.timestamp())
    return f"t={stamp},v1={digest(body, secret=secret, stamp=str(stamp))}"


def digest(body: bytes, *, secret: str, stamp: str) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify(body: bytes, header: str, *, endpoint: str = "", **changes: str) -> InboundEvent:
    return provider(**changes).verify_webhook(
        body=body, headers={"Stripe-Signature": header}, endpoint=endpoint, now=NOW
    )


def refusal(body: bytes, header: str, *, endpoint: str = "", **changes: str) -> str:
    with pytest.raises(InvalidSignature) as refused:
        verify(body, header, endpoint=endpoint, **changes)
    return refused.value.code


BODY = json.dumps(EVENT).encode()


def test_a_signed_event_is_read() -> None:
    event = verify(BODY, signature(BODY))

    assert event == InboundEvent(
        id="evt_1",
        kind="payment_intent.succeeded",
        subject=Subject.PAYMENT,
        object_id="pi_1",
        created_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        live=False,
    )


def test_the_body_is_taken_byte_for_byte() -> None:
    spaced = json.dumps(EVENT, indent=3).encode()

    assert verify(spaced, signature(spaced)).id == "evt_1"
    assert refusal(spaced, signature(BODY)) == "signature_mismatch"


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_signature_within_the_tolerance_passes(seconds: int) -> None:
    assert verify(BODY, signature(BODY, at=NOW + timedelta(seconds=seconds))).id == "evt_1"


def test_an_old_signature_is_refused() -> None:
    assert refusal(BODY, signature(BODY, at=NOW - timedelta(seconds=301))) == "signature_expired"


def test_a_signature_from_the_future_is_refused() -> None:
    assert refusal(BODY, signature(BODY, at=NOW + timedelta(seconds=301))) == "signature_in_future"


def test_a_second_signature_of_a_rolled_secret_does_no_harm() -> None:
    stamp, valid = signature(BODY).split(",")

    assert verify(BODY, f"{stamp},v1={'0' * 64},{valid},v0={'1' * 64}").id == "evt_1"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "signature_missing"),
        ("t=", "signature_malformed"),
        ("nonsense", "signature_malformed"),
        ("t=abc,v1=00", "signature_malformed"),
        ("t=-1,v1=00", "signature_malformed"),
        ("t=1_772_366_400,v1=00", "signature_malformed"),
        ("t=99999999999999999999,v1=00", "signature_malformed"),
        (f"t={int(NOW.timestamp())},t={int(NOW.timestamp())},v1=00", "signature_malformed"),
        (f"t={int(NOW.timestamp())}", "signature_mismatch"),
        (f"t={int(NOW.timestamp())},v1=", "signature_mismatch"),
        (f"t={int(NOW.timestamp())},v1=zz", "signature_mismatch"),
        (f"t={int(NOW.timestamp())},v0={digest(BODY, secret=PLATFORM_SECRET, stamp='1')}", "signature_mismatch"),
        (f"t={int(NOW.timestamp())},v1=\xe9\xe9", "signature_malformed"),
        (f"t=\u0661\u0662,v1={'0' * 64}", "signature_malformed"),
        (f"t={int(NOW.timestamp())}" + ",v1=00" * 100_000, "signature_malformed"),
        ("=" * 12, "signature_malformed"),
        ("," * 1_999, "signature_malformed"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_malformed_signature_is_refused(header: str, code: str) -> None:
    assert refusal(BODY, header) == code


def test_a_wrong_secret_is_refused() -> None:
    assert refusal(BODY, signature(BODY, secret="whsec_other")) == "signature_mismatch"


def test_a_changed_body_is_refused() -> None:
    assert refusal(BODY.replace(b"pi_1", b"pi_2"), signature(BODY)) == "signature_mismatch"


def test_a_changed_timestamp_is_refused() -> None:
    stale = signature(BODY, at=NOW - timedelta(hours=1))
    renewed = f"t={int(NOW.timestamp())},{stale.split(',')[1]}"

    assert refusal(BODY, renewed) == "signature_mismatch"


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_secret_signs_nothing(empty: str) -> None:
    header = signature(BODY, secret=empty)

    assert refusal(BODY, header, webhook_secret=empty, connect_webhook_secret=empty) == "signature_mismatch"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"text"',
        b"null",
        b"17",
        b"",
        b"{",
        b"{}",
        b"\xef\xbb\xbf{}",
        b'{"id": "evt_1"}',
        b"[" * 100_000,
        b'{"id": ' + b"9" * 5_000 + b"}",
        json.dumps({**EVENT, "id": 7}).encode(),
        json.dumps({**EVENT, "id": "evt\x00"}).encode(),
        json.dumps({**EVENT, "id": "\ud800"}).encode(),
        json.dumps({**EVENT, "id": "e" * 256}).encode(),
        json.dumps({**EVENT, "type": None}).encode(),
        json.dumps({**EVENT, "type": "payment\nintent"}).encode(),
        json.dumps({**EVENT, "created": None}).encode(),
        json.dumps({**EVENT, "created": True}).encode(),
        json.dumps({**EVENT, "created": 10**30}).encode(),
        json.dumps({**EVENT, "created": "yesterday"}).encode(),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_signed_body_that_is_no_event_is_refused(body: bytes) -> None:
    assert refusal(body, signature(body)) == "not_an_event"


def test_a_signed_body_outside_utf8_is_refused() -> None:
    body = BODY.replace(b"evt_1", b"evt_\xff")

    assert refusal(body, signature(body)) == "signature_mismatch"


def test_a_test_event_in_live_mode_is_refused_and_the_reverse() -> None:
    live = json.dumps({**EVENT, "livemode": True}).encode()

    assert refusal(BODY, signature(BODY), secret_key="sk_live_1") == "livemode_mismatch"
    assert refusal(live, signature(live)) == "livemode_mismatch"
    assert verify(live, signature(live), secret_key="rk_live_1").live


@pytest.mark.parametrize("odd", ["yes", 1, None])
def test_a_mode_that_is_no_boolean_is_refused(odd: object) -> None:
    body = json.dumps({**EVENT, "livemode": odd}).encode()

    assert refusal(body, signature(body), secret_key="sk_live_1") == "livemode_mismatch"


def test_an_accounts_event_under_the_connect_secret_is_trusted() -> None:
    body = json.dumps({**EVENT, "type": "account.updated", "account": "acct_1"}).encode()

    event = verify(body, signature(body, secret=CONNECT_SECRET))

    assert (event.subject, event.object_id, event.account_id) == (Subject.ACCOUNT, "acct_1", "acct_1")
    assert event.quarantine_reason == ""


def test_an_accounts_event_under_the_platforms_secret_is_quarantined() -> None:
    body = json.dumps({**EVENT, "type": "account.updated", "account": "acct_1"}).encode()

    assert "platform" in verify(body, signature(body)).quarantine_reason


def test_a_platforms_event_under_the_connect_secret_is_quarantined() -> None:
    assert "connect" in verify(BODY, signature(BODY, secret=CONNECT_SECRET)).quarantine_reason


def test_two_endpoints_may_share_a_secret() -> None:
    body = json.dumps({**EVENT, "type": "account.updated", "account": "acct_1"}).encode()

    event = verify(body, signature(body), connect_webhook_secret=PLATFORM_SECRET)

    assert event.quarantine_reason == ""


def test_a_named_endpoint_accepts_its_own_secret_only() -> None:
    assert verify(BODY, signature(BODY), endpoint="platform").id == "evt_1"
    assert refusal(BODY, signature(BODY), endpoint="connect") == "signature_mismatch"


def test_secrets_do_not_show() -> None:
    assert "whsec_" not in repr(provider()._configuration)
    assert "sk_test" not in repr(provider()._configuration)
