"""The audit trail: one line a deed, written in the deed's own transaction and never changed."""

from collections.abc import Mapping
from datetime import datetime

from multitask.money import Money
from multitask.payments.models import AuditEvent, Escrow, Withdrawal
from multitask.users.actor import Actor

# What a card said is its owner's business, and so is what stands against a freelancer's account.
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
    """Write down who did what, when, from where and with which amount."""
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
    """The words of an event, without those that are the other side's own business."""
    if event.escrow is None:
        return event.note
    is_hidden = (event.event in _CLIENTS_OWN and reader.is_user(event.escrow.freelancer_id)) or (
        event.event in _FREELANCERS_OWN and reader.is_user(event.escrow.client_id)
    )
    return "" if is_hidden else event.note
