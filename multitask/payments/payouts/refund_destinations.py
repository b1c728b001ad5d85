"""Which destinations of clients take the refunds that are to be paid out to them.

A way of paying out has a least and a most amount, so a destination that suits one refund may be impossible for another.
"""

from collections.abc import Collection

from django.db.models import QuerySet

from multitask.money import Money
from multitask.payments.errors import AmountTooLarge, AmountTooSmall
from multitask.payments.models import Refund
from multitask.payments.operations import amounts
from multitask.payments.payouts.payee_errors import DestinationCannotTakeRefund
from multitask.payments.provider.destinations import DestinationKind
from multitask.payments.states import RefundState


def unbegun() -> QuerySet[Refund]:
    """Select the refunds that have to be paid out to a destination and whose payout has not begun."""
    return Refund.objects.filter(state=RefundState.PENDING.value, payment__is_refundable=False, disbursement=None)


def takes(provider: str, kind: DestinationKind, amount: Money) -> bool:
    """Return whether an amount can be paid out to a destination of this kind. No statement."""
    try:
        amounts.require_disbursement(provider, kind, amount)
    except (AmountTooSmall, AmountTooLarge):
        return False
    return True


def is_possible(provider: str, amount: Money) -> bool:
    """Return whether a destination of any kind takes an amount. No statement."""
    return any(takes(provider, kind, amount) for kind in DestinationKind)


def least(provider: str, currency: str) -> Money:
    """Return the least that can be paid out to a destination of any kind. No statement."""
    return min(amounts.least_disbursement(provider, kind, currency) for kind in DestinationKind)


def require_taken(*, user_id: int, currency: str, kind: DestinationKind) -> None:
    """Check that a new destination takes the refunds that wait for this client. Raises DestinationCannotTakeRefund.

    Where no other kind takes all of them either, any is accepted: the rest waits, and the client is told.
    """
    waiting = unbegun().filter(escrow__client_id=user_id, currency=currency)
    refunds = [(refund.provider, refund.amount) for refund in waiting]
    if _takes_all(kind, refunds) or not any(_takes_all(other, refunds) for other in DestinationKind):
        return
    amount = next(amount for provider, amount in refunds if not takes(provider, kind, amount))
    raise DestinationCannotTakeRefund(detail=f"A refund of {amount} cannot be paid out there.")


def _takes_all(kind: DestinationKind, refunds: Collection[tuple[str, Money]]) -> bool:
    return all(takes(provider, kind, amount) for provider, amount in refunds)
