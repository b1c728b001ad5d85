"""Which escrows, refunds and withdrawals an actor may see, and the locks that every command takes.

Locks are always taken in this order: the milestone, its escrow, operations, history totals, and the ledger's
balances last, inside `ledger.post`.
"""

import uuid
from typing import Final, TypeAlias

from django.db.models import Q, QuerySet

from multitask.payments.errors import Forbidden, NotFound
from multitask.payments.models import Dispute, Escrow, Milestone, Refund, Withdrawal
from multitask.payments.states import EscrowState
from multitask.users.actor import Actor, Power, Role

Identifier: TypeAlias = int | uuid.UUID
WITH_SIDES: Final = ("agreement", "milestone", "client", "freelancer")


def visible_escrows(actor: Actor) -> QuerySet[Escrow]:
    """Select the escrows that the actor is a party to; all of them for staff and the system."""
    if actor.may(Power.READ_ANY):
        return Escrow.objects.all()
    if actor.user_id is None:
        return Escrow.objects.none()
    return Escrow.objects.filter(Q(client_id=actor.user_id) | Q(freelancer_id=actor.user_id))


def escrow(actor: Actor, escrow_id: Identifier) -> Escrow:
    """Return one escrow with its agreement, milestone and users. Raises NotFound."""
    found = visible_escrows(actor).filter(_by(escrow_id)).select_related(*WITH_SIDES).first()
    if found is None:
        raise NotFound("There is no such escrow.")
    return found


def locked_escrow(actor: Actor, escrow_id: Identifier) -> Escrow:
    """Return one escrow like `escrow`, and lock it with its milestone until the transaction ends. Raises NotFound."""
    found = _locked(visible_escrows(actor).filter(_by(escrow_id)))
    if found is None:
        raise NotFound("There is no such escrow.")
    return found


def lock_by_id(escrow_id: int) -> Escrow:
    """Lock an escrow for a command that applies the provider's state. Raises NotFound."""
    found = _locked(Escrow.objects.filter(pk=escrow_id))
    if found is None:
        raise NotFound("There is no such escrow.")
    return found


def lock_by_milestone(milestone_id: int) -> Escrow | None:
    """Lock and return the milestone's escrow that is not cancelled, or None."""
    return _locked(Escrow.objects.filter(milestone_id=milestone_id).exclude(state=EscrowState.CANCELLED.value))


def locked_milestone(actor: Actor, milestone_id: int) -> Milestone:
    """Lock a milestone of an agreement that the actor is a party to; any for staff and the system. Raises NotFound."""
    # The row is locked before it is read, so that no stale values are used.
    found = Milestone.objects.select_for_update(no_key=True, of=("self",)).filter(pk=milestone_id)
    if not actor.may(Power.READ_ANY):
        found = found.filter(Q(agreement__payer_id=actor.user_id) | Q(agreement__payee_id=actor.user_id))
    milestone = found.select_related("agreement").first()
    if milestone is None or (actor.user_id is None and not actor.may(Power.READ_ANY)):
        raise NotFound("There is no such milestone.")
    return milestone


def _locked(escrows: QuerySet[Escrow]) -> Escrow | None:
    # PostgreSQL locks in the order of this list: the milestone first, as the commands on milestones do.
    locked = escrows.select_for_update(no_key=True, of=("milestone", "self"))
    return next(iter(locked.select_related(*WITH_SIDES)[:1]), None)


def _by(identifier: Identifier) -> Q:
    if isinstance(identifier, uuid.UUID):
        return Q(public_id=identifier)
    return Q(pk=identifier)


def refund(actor: Actor, refund_id: Identifier) -> Refund:
    """Return one refund of a visible escrow. Raises NotFound."""
    found = Refund.objects.filter(_by(refund_id), escrow__in=visible_escrows(actor)).first()
    if found is None:
        raise NotFound("There is no such refund.")
    return found


def dispute(actor: Actor, dispute_id: Identifier) -> Dispute:
    """Return one dispute of a visible escrow. Raises NotFound."""
    found = Dispute.objects.filter(_by(dispute_id), escrow__in=visible_escrows(actor)).first()
    if found is None:
        raise NotFound("There is no such dispute.")
    return found


def visible_withdrawals(actor: Actor) -> QuerySet[Withdrawal]:
    """Select the actor's own withdrawals; staff sees those of others in the back office."""
    if actor.user_id is None:
        return Withdrawal.objects.none()
    return Withdrawal.objects.filter(user_id=actor.user_id)


def require_client(actor: Actor, escrow: Escrow, message: str) -> None:
    """Require that the actor is the escrow's client. Raises Forbidden."""
    if not actor.is_user(escrow.client_id):
        raise Forbidden(message)


def require_neutral(actor: Actor, escrow: Escrow) -> None:
    """Require that the actor is neither side of the escrow. Raises Forbidden."""
    if party(actor, escrow) in {Role.CLIENT, Role.FREELANCER}:
        raise Forbidden("You cannot decide about your own money.")


def party(actor: Actor, escrow: Escrow) -> Role:
    """Return the actor's role in this escrow, which may differ from their role elsewhere."""
    if actor.is_user(escrow.client_id):
        return Role.CLIENT
    if actor.is_user(escrow.freelancer_id):
        return Role.FREELANCER
    return actor.role
