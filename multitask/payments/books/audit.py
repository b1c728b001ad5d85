"""The audit trail: one event per action, written in the action's transaction and never changed."""

from collections.abc import Mapping
from datetime import datetime

from multitask.money import Money
from multitask.payments.models import AuditEvent, Escrow, Withdrawal
from multitask.users.actor import Actor

# Only the client sees declined and abandoned payment attempts, only the freelancer failed transfers; staff sees all.
_CLIENT_ONLY = frozenset({"payment_failed", "payment_refused", "payment_cancelled"})
_FREELANCER_ONLY = frozenset(
    {
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
    return AuditEvent.objects.create(
        event=event,
        at=now,
        actor_id=actor.user_id,
        actor_role=actor.role.value,
        actor_label=actor.label[:150],
        ip=actor.ip,
        request_id=actor.request_id[:100],
        escrow=escrow,
        withdrawal=withdrawal,
        user_id=user_id,
        amount_minor=None if amount is None else amount.amount_minor,
        currency="" if amount is None else amount.currency,
        note=note,
        details=dict(details or {}),
    )


def visible_note(reader: Actor, event: AuditEvent) -> str:
    """Return the note as this reader may see it; only the client and staff see why a card took no refund."""
    if event.event == "refund_failed" and event.escrow is not None and reader.is_user(event.escrow.freelancer_id):
        return ""
    return event.note


def is_visible(reader: Actor, event: AuditEvent) -> bool:
    """Return whether the event may be shown to this reader: each side sees the shared events and its own."""
    if event.escrow is None:
        return True
    if reader.is_user(event.escrow.freelancer_id):
        return event.event not in _CLIENT_ONLY
    if reader.is_user(event.escrow.client_id):
        return event.event not in _FREELANCER_ONLY
    return True
