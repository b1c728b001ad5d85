"""The audit trail: one event per action, written in the action's transaction and never changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from multitask.money import Money
from multitask.payments.models import AuditEvent, Escrow, Withdrawal
from multitask.users.actor import Actor

# What the staff does with the bank, and the bank's suspicions, are not for the two sides.
_STAFF_ONLY = frozenset(
    {
        "evidence_edited",
        "evidence_file_added",
        "evidence_file_removed",
        "evidence_sent",
        "evidence_refused",
        "chargeback_not_accepted",
        "fraud_warning_opened",
        "fraud_warning_ended",
        "fraud_warning_closed",
    }
)
# Only the client sees declined and abandoned payment attempts, only the freelancer failed transfers; staff sees all.
_CLIENT_ONLY = frozenset({"payment_failed", "payment_refused", "payment_cancelled"})
_FREELANCER_ONLY = frozenset(
    {
        "receivable_netted",
        "reversed_outside",
        "transfer_reversed",
        "reversal_failed",
        "reversal_given_up",
        "reversal_replaced",
        "give_up_reversal_needs_approval",
        "give_up_reversal_approved",
        "give_up_reversal_turned_down",
        "reversal_transfer_again",
        "transfer_again_needs_approval",
        "transfer_again_approved",
        "transfer_again_turned_down",
        "transfer_failed",
        "transfer_retried",
        "retry_transfer_needs_approval",
        "retry_transfer_approved",
        "retry_transfer_turned_down",
    }
)


def record(
    event: str,
    *,
    actor: Actor,
    now: datetime,
    escrow: Escrow | None = None,
    withdrawal: Withdrawal | None = None,
    user_id: int | None = None,
    amount: Money | None = None,
    note: str = "",
    details: Mapping[str, str | int] | None = None,
) -> AuditEvent:
    """Record who did what, when, from where and with which amount."""
    told = values(
        event,
        actor=actor,
        escrow=escrow,
        withdrawal_id=None if withdrawal is None else withdrawal.pk,
        user_id=user_id,
        amount=amount,
        note=note,
        details=details,
    )
    return write(told, now)


def write(told: Mapping[str, Any], now: datetime) -> AuditEvent:
    """Insert an event that `values` returned."""
    return AuditEvent.objects.create(at=now, **told)


def values(
    event: str,
    *,
    actor: Actor,
    escrow: Escrow | None = None,
    withdrawal_id: int | None = None,
    user_id: int | None = None,
    amount: Money | None = None,
    note: str = "",
    details: Mapping[str, str | int] | None = None,
) -> dict[str, Any]:
    """Return the columns of a new event, without its time."""
    return {
        "event": event,
        "actor_id": actor.user_id,
        "actor_role": actor.role.value,
        "actor_label": actor.label[:150],
        "ip": actor.ip,
        "request_id": actor.request_id[:100],
        "escrow_id": None if escrow is None else escrow.pk,
        "withdrawal_id": withdrawal_id,
        "user_id": user_id,
        "amount_minor": None if amount is None else amount.amount_minor,
        "currency": "" if amount is None else amount.currency,
        "note": note,
        "details": dict(details or {}),
    }


def has_happened(event: str, escrow: Escrow) -> bool:
    """Return whether an event of an escrow was recorded."""
    return AuditEvent.objects.filter(escrow=escrow, event=event).exists()


def visible_note(reader: Actor, event: AuditEvent) -> str:
    """Return the note as this reader may see it; only the client and staff see why a card took no refund."""
    if event.event == "refund_failed" and event.escrow is not None and reader.is_user(event.escrow.freelancer_id):
        return ""
    return event.note


def is_visible(reader: Actor, event: AuditEvent) -> bool:
    """Return whether the event may be shown to this reader: each side sees the shared events and its own."""
    if event.escrow is None:
        return True
    is_side = reader.is_user(event.escrow.client_id) or reader.is_user(event.escrow.freelancer_id)
    if is_side and event.event in _STAFF_ONLY:
        return False
    if reader.is_user(event.escrow.freelancer_id):
        return event.event not in _CLIENT_ONLY
    if reader.is_user(event.escrow.client_id):
        return event.event not in _FREELANCER_ONLY
    return True
