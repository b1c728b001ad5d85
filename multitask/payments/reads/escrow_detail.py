"""One escrow with its timeline, what may be done with it, and where its money is: all of one moment."""

import uuid
from datetime import datetime
from typing import Any, Final

from multitask import database
from multitask.payments.authorization import access
from multitask.payments.authorization.access import Identifier
from multitask.payments.errors import NotFound
from multitask.payments.escrow import permitted_actions
from multitask.payments.escrow.permitted_actions import OpenDecisions
from multitask.payments.models import Agreement, AuditEvent, Chargeback, ConnectedAccount, Escrow, Milestone
from multitask.payments.reads import allocation, json_rows, where
from multitask.payments.reads.allocation import Facts, Place
from multitask.payments.reads.escrows import EscrowView
from multitask.payments.reads.where import Where
from multitask.payments.states import RefundState
from multitask.users.actor import Actor, Power, Role
from multitask.users.models import User

_DETAIL: Final = database.Statement(
    "SELECT payments_escrow_detail(%(id)s::bigint, %(public)s::uuid, %(reader)s::bigint)"
)
_EVENT: Final = ("id", "event", "at", "actor_role", "actor_label", "amount_minor", "currency", "note")


def read(actor: Actor, escrow_id: Identifier, now: datetime) -> tuple[EscrowView, list[Where]]:
    """Read one escrow and where its money is. One statement; more while a payee of a platform route has it.

    Raises NotFound.
    """
    if actor.user_id is None and not actor.may(Power.READ_ANY):
        raise NotFound("There is no such escrow.")
    row = _row(actor, escrow_id)
    escrow, known = _escrow(row), _facts(row["facts"])
    if escrow.is_on_platform and _depends_on_payout(actor, escrow, known):
        return _in_snapshot(actor, escrow_id, now)
    return _explained(actor, escrow, known, row, now)


def _row(actor: Actor, escrow_id: Identifier) -> dict[str, Any]:
    is_public = isinstance(escrow_id, uuid.UUID)
    asked = {"id": None if is_public else escrow_id, "public": escrow_id if is_public else None}
    ((row,),) = _DETAIL.rows(asked | {"reader": None if actor.may(Power.READ_ANY) else actor.user_id})
    if row is None:
        raise NotFound("There is no such escrow.")
    found: dict[str, Any] = row
    return found


def _depends_on_payout(reader: Actor, escrow: Escrow, known: Facts) -> bool:
    """Return whether the reason of a place depends on what is missing for a payout, which is read apart."""
    is_payer = access.party(reader, escrow) is Role.CLIENT
    return any(part.place in _PAID_OUT for part in allocation.places(escrow, known, is_payer=is_payer))


@database.snapshot
def _in_snapshot(actor: Actor, escrow_id: Identifier, now: datetime) -> tuple[EscrowView, list[Where]]:
    row = _row(actor, escrow_id)
    return _explained(actor, _escrow(row), _facts(row["facts"]), row, now)


def _explained(
    actor: Actor, escrow: Escrow, known: Facts, row: dict[str, Any], now: datetime
) -> tuple[EscrowView, list[Where]]:
    account = None if row["account"] is None else json_rows.instance(ConnectedAccount, row["account"])
    return _view(actor, escrow, row), where.explained(actor, escrow, known, now, account=lambda: account)


_PAID_OUT: Final = frozenset({Place.AVAILABLE, Place.WITHDRAWING, Place.REFUNDING, Place.RETURNED})
_MOMENTS: Final = ("answer_by_at", "settles_at", "arrives_at", "leaving_from", "leaving_allotted_at")


def _facts(found: dict[str, Any]) -> Facts:
    """Return the facts, without those that the function of a later release adds, which is there before its code is."""
    known = {name: found[name] for name in Facts.__slots__}
    return Facts(**json_rows.with_moments(known, *_MOMENTS))


def _escrow(row: dict[str, Any]) -> Escrow:
    escrow, sides = json_rows.instance(Escrow, row["escrow"]), row["sides"]
    named = {"title": sides["title"], "reference": sides["reference"]}
    escrow.agreement = json_rows.instance(Agreement, {"id": escrow.agreement_id, **named})
    escrow.milestone = json_rows.instance(Milestone, {"id": escrow.milestone_id, "state": sides["milestone"]})
    escrow.client = json_rows.instance(User, {"id": escrow.client_id, "username": sides["client"]})
    escrow.freelancer = json_rows.instance(User, {"id": escrow.freelancer_id, "username": sides["freelancer"]})
    return escrow


def _view(actor: Actor, escrow: Escrow, row: dict[str, Any]) -> EscrowView:
    timeline = [_event(escrow, event) for event in row["timeline"] or ()]
    refund = row["open_refund"]
    decisions = OpenDecisions(
        refund=None if refund is None else RefundState(refund),
        is_undecided=row["facts"]["is_undecided"],
        is_contested=row["is_contested"],
    )
    allowed = permitted_actions.allowed_knowing(actor, escrow, decisions)
    chargebacks = [json_rows.instance(Chargeback, found) for found in row["chargebacks"] or ()]
    return EscrowView(escrow, timeline, allowed, chargebacks)


def _event(escrow: Escrow, values: list[Any]) -> AuditEvent:
    # The function of a later release may append columns.
    event = json_rows.instance(AuditEvent, dict(zip(_EVENT, values, strict=False)))
    event.escrow = escrow
    return event
