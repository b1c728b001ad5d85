"""The audit trail: one row per action, written in the transaction of the action and never changed."""

from collections.abc import Mapping
from datetime import datetime

from multitask.money import Money
from multitask.payments.models import AuditEvent, Escrow, Withdrawal
from multitask.users.actor import Actor

# Only the client sees decline reasons, and only the freelancer sees what is wrong with their account.
_CLIENTS_OWN = frozenset({"payment_failed", "payment_refused"})
_FREELANCERS_OWN = frozenset({"transfer_failed"})


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


def note_for(reader: Actor, event: AuditEvent) -> str:
    """Return the note of an event, or an empty string if only the other side may read it."""
    if event.escrow is None:
        return event.note
    is_hidden = (event.event in _CLIENTS_OWN and reader.is_user(event.escrow.freelancer_id)) or (
        event.event in _FREELANCERS_OWN and reader.is_user(event.escrow.client_id)
    )
    return "" if is_hidden else event.note
