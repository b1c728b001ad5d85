"""Escrows that are frozen by a bank's inquiry alone: no money was taken, and a refund by the staff ends the inquiry."""

from typing import Final

from django.db.models import Case, Exists, OuterRef, Q, When

from multitask.payments.authorization import access
from multitask.payments.models import Chargeback, Escrow, Loss
from multitask.payments.provider import ChargebackStatus
from multitask.users.actor import Actor, Power, Role

_ENDED: Final = [ChargebackStatus.WON.value, ChargebackStatus.PREVENTED.value]
_BOOKED: Final = Exists(Loss.objects.filter(chargeback=OuterRef("pk"), reversed_at=None))
_TAKES_MONEY: Final = ~Q(status__startswith=Chargeback.INQUIRY) & ~Q(status__in=_ENDED) & ~Q(_BOOKED)


def is_frozen_only_by_inquiry(escrow: Escrow) -> bool:
    """Return whether inquiries alone freeze an escrow: no chargeback has taken its money or may keep it.

    One statement.
    """
    if escrow.frozen_at is None:
        return False
    statuses = escrow.chargebacks.annotate(takes_money=Case(When(_TAKES_MONEY, then=True), default=False))
    found = list(statuses.values_list("takes_money", flat=True))
    return bool(found) and not any(found)


def contested_for_outer(escrow: str = "pk") -> Exists:
    """Return the condition, for a query of escrows, that a chargeback has taken the money or may keep it."""
    return Exists(Chargeback.objects.filter(_TAKES_MONEY, escrow=OuterRef(escrow)))


def may_refund(actor: Actor, escrow: Escrow) -> bool:
    """Return whether this actor may refund although the escrow is frozen. One statement at most."""
    is_side = access.party(actor, escrow) in {Role.CLIENT, Role.FREELANCER}
    return actor.may(Power.REFUND) and not is_side and is_frozen_only_by_inquiry(escrow)
