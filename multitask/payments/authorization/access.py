"""Which escrows, refunds, disputes and withdrawals an actor may see, and in which role."""

import uuid
from typing import Final, TypeAlias

from django.db.models import Q, QuerySet

from multitask.payments.errors import Forbidden, NotFound
from multitask.payments.models import Dispute, Escrow, Refund, Withdrawal
from multitask.users.actor import Actor, Power, Role

Identifier: TypeAlias = int | uuid.UUID
# What a command or a page needs of an escrow besides its own row.
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
    found = visible_escrows(actor).filter(by_id(escrow_id)).select_related(*WITH_SIDES).first()
    if found is None:
        raise NotFound("There is no such escrow.")
    return found


def by_id(identifier: Identifier) -> Q:
    """Return the condition for a row of this number or public id."""
    if isinstance(identifier, uuid.UUID):
        return Q(public_id=identifier)
    return Q(pk=identifier)


def visible_by_id(actor: Actor, escrow_id: Identifier) -> tuple[str, dict[str, int | uuid.UUID]]:
    """Return the condition of `escrow` in SQL, with the table as `escrow`, and its parameters."""
    wanted = f"escrow.{'public_id' if isinstance(escrow_id, uuid.UUID) else 'id'} = %(escrow)s"
    if actor.may(Power.READ_ANY):
        return wanted, {"escrow": escrow_id}
    if actor.user_id is None:
        return "false", {}
    is_party = "%(user)s IN (escrow.client_id, escrow.freelancer_id)"
    return f"{wanted} AND {is_party}", {"escrow": escrow_id, "user": actor.user_id}


def refund(actor: Actor, refund_id: Identifier) -> Refund:
    """Return one refund of a visible escrow. Raises NotFound."""
    found = Refund.objects.filter(by_id(refund_id), escrow__in=visible_escrows(actor)).first()
    if found is None:
        raise NotFound("There is no such refund.")
    return found


def dispute(actor: Actor, dispute_id: Identifier) -> Dispute:
    """Return one dispute of a visible escrow. Raises NotFound."""
    found = Dispute.objects.filter(by_id(dispute_id), escrow__in=visible_escrows(actor)).first()
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
