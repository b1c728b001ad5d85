"""Which escrows, refunds and withdrawals an actor may see, and the locks that every command takes.

Locks are taken in one order: the escrow and its task, then operations, then history totals, and
the ledger's balances last, inside `ledger.post`.
"""

import uuid
from typing import TypeAlias

from django.db.models import Q, QuerySet

from multitask.payments.errors import Forbidden, NotFound
from multitask.payments.models import Dispute, Escrow, Refund, Withdrawal
from multitask.users.actor import Actor, Power, Role

Identifier: TypeAlias = int | uuid.UUID


def visible_escrows(actor: Actor) -> QuerySet[Escrow]:
    """Select the escrows that the actor is a party to; for staff and the system all."""
    if actor.may(Power.READ_ANY):
        return Escrow.objects.all()
    if actor.user_id is None:
        return Escrow.objects.none()
    return Escrow.objects.filter(Q(client_id=actor.user_id) | Q(freelancer_id=actor.user_id))


def escrow(actor: Actor, escrow_id: Identifier) -> Escrow:
    """Read one escrow with its task and people. Raises NotFound."""
    found = visible_escrows(actor).filter(_by(escrow_id)).select_related("task", "client", "freelancer").first()
    if found is None:
        raise NotFound("There is no such escrow.")
    return found


def locked_escrow(actor: Actor, escrow_id: Identifier) -> Escrow:
    """Read one escrow like `escrow`, locked together with its task until the transaction ends."""
    found = _locked(visible_escrows(actor).filter(_by(escrow_id)))
    if found is None:
        raise NotFound("There is no such escrow.")
    return found


def lock_by_id(escrow_id: int) -> Escrow:
    """Lock an escrow for a process that acts on what the provider said."""
    found = _locked(Escrow.objects.filter(pk=escrow_id))
    if found is None:
        raise NotFound("There is no such escrow.")
    return found


def lock_by_task(task_id: int) -> Escrow | None:
    """Lock the live escrow of a task, if there is one."""
    return _locked(Escrow.objects.filter(task_id=task_id).exclude(state="cancelled"))


def _locked(escrows: QuerySet[Escrow]) -> Escrow | None:
    # PostgreSQL locks in the order of the list: the task first, as every command on tasks does.
    locked = escrows.select_for_update(no_key=True, of=("task", "self"))
    return next(iter(locked.select_related("task", "client", "freelancer")[:1]), None)


def _by(identifier: Identifier) -> Q:
    if isinstance(identifier, uuid.UUID):
        return Q(public_id=identifier)
    return Q(pk=identifier)


def refund(actor: Actor, refund_id: Identifier) -> Refund:
    """Read one refund of a visible escrow. Raises NotFound."""
    found = Refund.objects.filter(_by(refund_id), escrow__in=visible_escrows(actor)).first()
    if found is None:
        raise NotFound("There is no such refund.")
    return found


def dispute(actor: Actor, dispute_id: Identifier) -> Dispute:
    """Read one dispute of a visible escrow. Raises NotFound."""
    found = Dispute.objects.filter(_by(dispute_id), escrow__in=visible_escrows(actor)).first()
    if found is None:
        raise NotFound("There is no such dispute.")
    return found


def visible_withdrawals(actor: Actor) -> QuerySet[Withdrawal]:
    """Select the actor's own withdrawals; staff finds others' through the back office."""
    if actor.user_id is None:
        return Withdrawal.objects.none()
    return Withdrawal.objects.filter(user_id=actor.user_id)


def require_client(actor: Actor, held: Escrow, message: str) -> None:
    """Insist that the actor is the escrow's client."""
    if not actor.is_user(held.client_id):
        raise Forbidden(message)


def require_neutral(actor: Actor, held: Escrow) -> None:
    """Require that the actor is neither side of the escrow. Raises Forbidden."""
    if party(actor, held) in {Role.CLIENT, Role.FREELANCER}:
        raise Forbidden("Nobody decides over money of their own.")


def party(actor: Actor, held: Escrow) -> Role:
    """Say in which capacity the actor faces this very escrow, whatever else they are elsewhere."""
    if actor.is_user(held.client_id):
        return Role.CLIENT
    if actor.is_user(held.freelancer_id):
        return Role.FREELANCER
    return actor.role
