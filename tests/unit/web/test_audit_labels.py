"""Every event of the audit trail, and every detail of one, is shown in words."""

import ast
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
from django.utils import translation

from multitask.payments.models import AuditEvent
from multitask.payments.provider import ChargebackStatus
from multitask.payments.states import EscrowState, HistoryStatus, MilestoneState, PaymentState, RefundState
from multitask.web.backoffice.base import labels
from multitask.web.backoffice.books import audit_details, audit_trail
from multitask.web.pages.base import status_labels

MULTITASK = Path(audit_trail.__file__).parents[3]
STEPS = ("needs_approval", "approved", "turned_down")
# What the code puts together from a kind or a status.
MADE = [
    *(f"{kind}_{step}" for kind in labels.options("approval_kind") for step in STEPS),
    *(f"chargeback_{status}" for status in (ChargebackStatus.WON, ChargebackStatus.LOST, ChargebackStatus.PREVENTED)),
    "chargeback_warning_closed", "chargeback_withdrawn", "chargeback_reinstated", "chargeback_opened",
    "chargeback_escalated", "reversal_transfer_again", "reversal_refund_client", "refund_granted", "refund_accepted",
    "refund_denied", "refund_refused", "account_reopened", "account_closed", "account_ended", "account_enabled",
    "account_needs_attention", "account_paused", "account_details_due",
]  # fmt: skip


def recorded() -> Iterator[str]:
    """The events that the code records by name."""
    for path in sorted(MULTITASK.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("audit.record") and node.args:
                yield from (str(part.value) for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant))


def test_every_event_has_a_label_of_its_own() -> None:
    events = {str(event) for event in recorded()} | set(MADE)
    assert len(events) > 100
    unlabelled = [event for event in events if not audit_trail.is_labelled(event)]
    assert unlabelled == []


def test_no_event_is_shown_in_english_to_arabic_readers() -> None:
    events = {str(event) for event in recorded()} | set(MADE)
    with translation.override("ar"):
        latin = [event for event in events if audit_trail.what(AuditEvent(event=event)).isascii()]
    assert latin == []


def details_of(tree: ast.AST) -> Iterator[str]:
    """The names in what the code passes as details: in the call, in a variable, or returned by a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "details":
            yield from _names(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name == "_details":
            yield from _names(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Tuple):
                yield from _names(node.value) if "details" in ast.unparse(target) else ()
            elif isinstance(target, ast.Name) and target.id in {"details", "told", "about"}:
                yield from _names(node.value)
            elif isinstance(target, ast.Subscript) and ast.unparse(target.value) == "details":
                yield str(ast.literal_eval(target.slice))


def _names(value: ast.AST | None) -> Iterator[str]:
    dicts = (found for found in ast.walk(value) if isinstance(found, ast.Dict)) if value else ()
    yield from (str(key.value) for found in dicts for key in found.keys if isinstance(key, ast.Constant))


def test_every_detail_has_a_label() -> None:
    sources = [path.read_text() for path in sorted((MULTITASK / "payments").rglob("*.py"))]
    sources += [path.read_text() for path in sorted((MULTITASK / "webhooks").rglob("*.py"))]
    recording = [ast.parse(source) for source in sources if "audit.record" in source]
    names = {name for tree in recording for name in details_of(tree)}
    assert {"masked_number", "same_number_as", "usable_from", "answer_by", "event_id"} <= names
    assert [name for name in sorted(names) if not audit_details.is_labelled(name)] == []


@pytest.mark.parametrize(
    ("event", "details", "spoken"),
    [
        (
            "loss_booked",
            {"escrow_minor": 0, "payee_minor": 5000, "fee_minor": 750, "receivable_minor": 0, "platform_minor": 250},
            "From the platform's fee: $7.50, From the freelancer's share: $50.00, Borne by the platform: $2.50",
        ),
        ("chargeback_withdrawn", {"fee_minor": 1500}, "Fee: $15.00"),
        (
            "chargeback_opened",
            {"chargeback": 3, "is_inquiry": 0, "is_in_escrow": 1, "answer_by": "2026-12-01"},
            "To be answered by: 2026-12-01, Chargeback: 3, Money in escrow: yes, Only an inquiry: no",
        ),
        ("staff_role_set", {"from": "none", "to": "finance"}, "Before: Not staff, After: Finance: moves money"),
        ("operation_retried", {"operation": "po:1", "state": "unknown"}, "Call: po:1, State: No answer yet"),
        ("line_explained", {"line": "txn_1", "explanation": "exchange"},
         "What it was: A difference of exchange rates, Line: txn_1"),
        (
            "destination_added",
            {"kind": "wallet", "bank_code": "", "issuer": "orange", "masked": "•••• 123", "currency": "EGP",
             "usable_from": "2026-12-01T12:00:00+00:00"},
            "Currency: EGP, Wallet: Orange Cash, Kind: Mobile wallet, Number: •••• 123, Used from: Dec 1, 2026",
        ),
        ("webhook_replayed", {"event_id": "evt_1", "kind": "payout.paid"}, "Event: evt_1, Kind: payout.paid"),
    ],
)  # fmt: skip
def test_details_are_words_and_amounts(event: str, details: dict[str, str | int], spoken: str) -> None:
    assert audit_details.spoken(AuditEvent(event=event, details=details, currency="USD")) == spoken


def test_details_are_shown_in_arabic() -> None:
    event = AuditEvent(event="loss_booked", details={"payee_minor": 5000, "platform_minor": 250}, currency="EGP")
    with translation.override("ar"):
        spoken = audit_details.spoken(event)
    assert "من حصة المستقل" in spoken
    assert "50.00" in spoken
    assert "minor" not in spoken


@pytest.mark.parametrize("states", [MilestoneState, EscrowState, RefundState, PaymentState, HistoryStatus])
def test_no_state_is_shown_in_english_to_arabic_readers(states: type[StrEnum]) -> None:
    with translation.override("ar"):
        assert [state for state in states if status_labels.label(state.value).isascii()] == []
