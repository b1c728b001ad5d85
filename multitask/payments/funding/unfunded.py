"""Unfunded escrows: those that are not paid by their date are closed, and the client can pay again with a new one.

The open payment is cancelled at the provider first. While that is under way the escrow still awaits its payment, so a
payment that succeeds before the provider cancels it funds the escrow; the escrow is closed once no payment is open.
"""

from datetime import datetime
from typing import Final

from multitask import database
from multitask.payments.authorization import locks
from multitask.payments.books import audit
from multitask.payments.funding import cancellations
from multitask.payments.models import Escrow
from multitask.payments.states import EscrowState, PaymentState
from multitask.users.actor import Actor

UNFUNDED: Final = Actor.system("unfunded")


def due(*, now: datetime) -> list[int]:
    """Return the ids of all unpaid escrows whose date has passed, oldest first."""
    unpaid = Escrow.objects.filter(state=EscrowState.PENDING_PAYMENT.value, payment_due_at__lte=now)
    return list(unpaid.order_by("payment_due_at").values_list("pk", flat=True))


@database.transactional
def close(*, escrow_id: int, now: datetime) -> bool:
    """Close an unpaid escrow, or cancel its open payment first; return whether it was closed.

    Called again until the escrow is closed or funded. Its milestone stays as it is. Money that is being processed is
    waited for.
    """
    escrow = locks.lock_by_id(escrow_id)
    is_unpaid = escrow.escrow_state is EscrowState.PENDING_PAYMENT
    if not is_unpaid or escrow.payment_due_at is None or escrow.payment_due_at > now:
        return False
    payment = escrow.payments.filter(state=PaymentState.PENDING.value).first()
    if payment is None:
        audit.record("payment_expired", actor=UNFUNDED, now=now, escrow=escrow, amount=escrow.total)
        cancellations.cancel_unpaid(escrow, actor=UNFUNDED, now=now)
        return True
    if payment.provider_status != "processing":
        cancellations.begin(escrow, payment, now=now)
    return False
