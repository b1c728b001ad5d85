"""Translation of Stripe events."""

import json
from typing import Any

import pytest

from multitask.payments.provider import InboundEvent, Subject
from multitask.providers.stripe import events


def read(kind: str, changed: Any, *, account: str | None = None) -> InboundEvent:
    raw: dict[str, Any] = {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": 1_772_366_400,
        "livemode": False,
        "data": {"object": changed},
    }
    if account is not None:
        raw["account"] = account
    signer = events.CONNECT if account else events.PLATFORM
    return events.read(json.dumps(raw).encode(), signed_by=frozenset({signer}), live=False)


@pytest.mark.parametrize(
    ("kind", "changed", "subject", "object_id"),
    [
        ("payment_intent.succeeded", {"id": "pi_1"}, Subject.PAYMENT, "pi_1"),
        ("payment_intent.payment_failed", {"id": "pi_1"}, Subject.PAYMENT, "pi_1"),
        ("charge.succeeded", {"id": "ch_1", "payment_intent": "pi_1"}, Subject.PAYMENT, "pi_1"),
        ("charge.refunded", {"id": "ch_1", "payment_intent": {"id": "pi_1"}}, Subject.PAYMENT, "pi_1"),
        ("charge.updated", {"id": "ch_1", "payment_intent": None}, Subject.NOTHING, ""),
        ("charge.dispute.created", {"id": "dp_1", "payment_intent": "pi_1"}, Subject.DISPUTE, "dp_1"),
        ("charge.dispute.closed", {"id": "dp_1"}, Subject.DISPUTE, "dp_1"),
        ("radar.early_fraud_warning.created", {"id": "issfr_1", "charge": "ch_1"}, Subject.FRAUD_WARNING, "issfr_1"),
        ("charge.refund.updated", {"id": "re_1", "payment_intent": "pi_1"}, Subject.REFUND, "re_1"),
        ("refund.failed", {"id": "re_1"}, Subject.REFUND, "re_1"),
        ("transfer.reversed", {"id": "tr_1"}, Subject.TRANSFER, "tr_1"),
        ("payment_method.attached", {"id": "pm_1"}, Subject.PAYMENT_METHOD, "pm_1"),
        ("setup_intent.succeeded", {"id": "seti_1"}, Subject.SETUP, "seti_1"),
        ("invoice.paid", {"id": "in_1"}, Subject.NOTHING, ""),
        ("balance.available", {"object": "balance"}, Subject.NOTHING, ""),
        ("payout.paid", {"id": "po_1"}, Subject.NOTHING, ""),
        ("account.updated", {"id": "acct_platform"}, Subject.NOTHING, ""),
        ("payment_intent.succeeded", None, Subject.NOTHING, ""),
        ("payment_intent.succeeded", {"id": 7}, Subject.NOTHING, ""),
        ("payment_intent.succeeded", {"id": "pi_1\x00"}, Subject.NOTHING, ""),
        ("v2.core.account.updated", {}, Subject.NOTHING, ""),
    ],
)
def test_an_event_of_the_platform_names_its_object(kind: str, changed: Any, subject: Subject, object_id: str) -> None:
    event = read(kind, changed)

    assert (event.subject, event.object_id, event.account_id) == (subject, object_id, "")


@pytest.mark.parametrize(
    ("kind", "changed", "subject", "object_id"),
    [
        ("account.updated", {"id": "acct_1"}, Subject.ACCOUNT, "acct_1"),
        ("account.external_account.created", {"id": "ba_1"}, Subject.ACCOUNT, "acct_1"),
        ("account.application.deauthorized", {"id": "ca_1"}, Subject.ACCOUNT, "acct_1"),
        ("capability.updated", {"id": "transfers"}, Subject.ACCOUNT, "acct_1"),
        ("payout.failed", {"id": "po_1"}, Subject.PAYOUT, "po_1"),
        ("balance.available", {"object": "balance"}, Subject.BALANCE, "acct_1"),
        # Mirrors of our transfers inside the account: reading them on the platform would find nothing.
        ("charge.succeeded", {"id": "py_1", "payment_intent": "pi_1"}, Subject.NOTHING, ""),
        ("payment_intent.succeeded", {"id": "pi_1"}, Subject.NOTHING, ""),
    ],
)
def test_an_event_of_an_account_names_its_object(kind: str, changed: Any, subject: Subject, object_id: str) -> None:
    event = read(kind, changed, account="acct_1")

    assert (event.subject, event.object_id, event.account_id) == (subject, object_id, "acct_1")


def test_what_stands_near_the_object_comes_along() -> None:
    event = read("charge.dispute.created", {"id": "dp_1", "payment_intent": {"id": "pi_1"}, "charge": "ch_1"})

    assert event.related == {"payment_intent": "pi_1", "charge": "ch_1"}


def test_a_data_field_that_is_no_object_changes_nothing() -> None:
    raw = {"id": "evt_1", "type": "refund.updated", "created": "2026-03-01T12:00:00Z", "livemode": False, "data": []}

    event = events.read(json.dumps(raw).encode(), signed_by=frozenset({events.PLATFORM}), live=False)

    assert event.subject is Subject.NOTHING
    assert event.created_at.year == 2026
