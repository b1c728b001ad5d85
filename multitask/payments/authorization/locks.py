"""The row locks of money commands.

Commands take the locks that they share in one order, so that two of them never wait for each other: the task (posting,
applying, accepting), the user, the milestone, its escrow, the payee's account, then payments, refunds, disputes and
withdrawals. History totals, operations and the ledger's balances are locked after all of these, as a command needs
them; `ledger.post` locks balances in the order of their accounts.
"""

from django.db.models import Q, QuerySet

from multitask.payments.authorization import access
from multitask.payments.errors import NotFound
from multitask.payments.models import Escrow, Milestone
from multitask.payments.states import EscrowState
from multitask.users.actor import Actor, Power


def locked_escrow(actor: Actor, escrow_id: access.Identifier) -> Escrow:
    """Return an escrow like `access.escrow`, locked with its milestone until the commit. Raises NotFound."""
    found = _locked(access.visible_escrows(actor).filter(access.by_id(escrow_id)))
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
    return next(iter(locked.select_related(*access.WITH_SIDES)[:1]), None)
