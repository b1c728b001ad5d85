"""An escrow with its timeline and what may be done with it, all of one moment, and lists of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from multitask import database
from multitask.payments.authorization import access
from multitask.payments.authorization.access import Identifier
from multitask.payments.escrow import permitted_actions, releases
from multitask.payments.models import AuditEvent, Chargeback, Escrow
from multitask.users.actor import Actor


@dataclass(frozen=True, slots=True)
class EscrowView:
    """An escrow as one actor sees it: its events, the commands that it would accept, and its chargebacks.

    Events and chargebacks are oldest first.
    """

    escrow: Escrow
    timeline: list[AuditEvent]
    allowed_actions: list[str]
    chargebacks: list[Chargeback]


@database.snapshot
def one(actor: Actor, escrow_id: Identifier) -> EscrowView:
    """Read one escrow. Five statements at most. Raises NotFound."""
    return _views(actor, [access.escrow(actor, escrow_id)])[0]


@database.snapshot
def page(actor: Actor, *, offset: int, size: int) -> tuple[list[EscrowView], int]:
    """Read a page of the escrows that the actor may see, newest first, and how many there are.

    Six statements at most, however many are on the page.
    """
    visible = access.visible_escrows(actor)
    found = visible.select_related(*access.WITH_SIDES).order_by("-pk")[offset : offset + size]
    return _views(actor, list(found)), visible.count()


def released(actor: Actor, held: Escrow) -> EscrowView:
    """Return an escrow as its release left it, from what the command returned. Two statements at most, usually none.

    Later events are left out, since their effects are not in `held`.
    """
    timeline = releases.timeline(held)
    while timeline and timeline[-1].event != "released":
        timeline.pop()
    return EscrowView(held, timeline, permitted_actions.allowed(actor, held), _chargebacks([held], timeline)[held.pk])


def _views(actor: Actor, escrows: Sequence[Escrow]) -> list[EscrowView]:
    timelines = _timelines(escrows)
    allowed = permitted_actions.allowed_each(actor, escrows)
    found = _chargebacks(escrows, *timelines.values())
    return [EscrowView(each, timelines[each.pk], allowed[each.pk], found[each.pk]) for each in escrows]


def _chargebacks(escrows: Sequence[Escrow], *timelines: list[AuditEvent]) -> dict[int, list[Chargeback]]:
    """Return the chargebacks by escrow id. One statement, if any timeline tells of one."""
    found: dict[int, list[Chargeback]] = {escrow.pk: [] for escrow in escrows}
    contested = {event.escrow_id for each in timelines for event in each if event.event == "chargeback_opened"}
    for row in Chargeback.objects.filter(escrow__in=contested).order_by("pk") if contested else ():
        found[row.escrow_id].append(row)
    return found


def _timelines(escrows: Sequence[Escrow]) -> dict[int, list[AuditEvent]]:
    known = {escrow.pk: escrow for escrow in escrows}
    timelines: dict[int, list[AuditEvent]] = {escrow_id: [] for escrow_id in known}
    for event in AuditEvent.objects.filter(escrow__in=known).order_by("pk") if known else ():
        assert event.escrow_id is not None  # noqa: S101
        event.escrow = known[event.escrow_id]  # Known already, so that it is not read once per event.
        timelines[event.escrow_id].append(event)
    return timelines
