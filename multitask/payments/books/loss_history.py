"""History rows of money that comes back: chargebacks, refunds after release, adjustments."""

from datetime import datetime

from django.db.models import F

from multitask.money import Money
from multitask.payments.books import history
from multitask.payments.books.history import HistoryType
from multitask.payments.models import Adjustment, AdjustmentReversal, Chargeback, Escrow, HistoryRow, Loss, Refund
from multitask.payments.states import HistoryStatus, PaymentState
from multitask.payments.terms import Split


def chargeback_opened(escrow: Escrow, chargeback: Chargeback, now: datetime) -> None:
    """Record a pending chargeback for both sides; one of a payment that fits no escrow concerns the client alone."""
    is_in_escrow = chargeback.payment.state == PaymentState.SUCCEEDED.value
    title = escrow.agreement.title
    client = history.row(
        escrow.client_id,
        HistoryType.CHARGEBACK,
        _reference(chargeback),
        chargeback.amount,
        now=now,
        direction="in" if is_in_escrow else "neutral",
        status=HistoryStatus.PENDING,
        description=f"Chargeback of your payment for “{title}”",
        escrow=escrow,
        recipient_id=escrow.client_id,
    )
    freelancer = history.row(
        escrow.freelancer_id,
        HistoryType.CHARGEBACK,
        _reference(chargeback),
        chargeback.amount,
        now=now,
        direction="neutral",
        status=HistoryStatus.PENDING,
        description=f"Chargeback of the payment for “{title}”",
        escrow=escrow,
        recipient_id=escrow.client_id,
    )
    history.write([client, freelancer] if is_in_escrow else [client])


def chargeback_became(escrow: Escrow, chargeback: Chargeback, status: HistoryStatus, now: datetime) -> None:
    """Set the status of a chargeback for both sides."""
    for user_id in sorted((escrow.client_id, escrow.freelancer_id)):
        history.became(user_id, _reference(chargeback), status, now, "")


def chargeback_lost(escrow: Escrow, chargeback: Chargeback, loss: Loss, now: datetime) -> None:
    """Record what each side got or lost by a chargeback whose loss is booked.

    The client got back what the bank contested of a payment that was converted, in the currency of the payment.
    """
    rows = HistoryRow.objects.filter(reference=_reference(chargeback))
    completed = {"status": HistoryStatus.COMPLETED.value, "processed_at": now}
    is_converted = loss.currency != chargeback.currency
    returned = chargeback.amount_minor if is_converted else loss.amount_minor
    rows.filter(user_id=escrow.client_id).update(amount_minor=returned, **completed)
    lost = loss.payee_minor + loss.receivable_minor
    changed = {"amount_minor": lost or loss.amount_minor, "direction": "out" if lost else "neutral"}
    rows.filter(user_id=escrow.freelancer_id).update(**changed, **completed)


def released_rest(escrow: Escrow, rest: Split) -> None:
    """Add to the rows of a release what was released later: the part that a chargeback had taken and gave back."""
    more = {
        "amount_minor": F("amount_minor") + rest.total.amount_minor,
        "fee_minor": F("fee_minor") + rest.fee.amount_minor,
    }
    HistoryRow.objects.filter(reference=f"escrow:{escrow.pk}:release").update(**more)
    fee = HistoryRow.objects.filter(reference=f"escrow:{escrow.pk}:fee")
    fee.update(amount_minor=F("amount_minor") + rest.fee.amount_minor)


def _reference(chargeback: Chargeback) -> str:
    return f"chargeback:{chargeback.pk}"


def share_returned(escrow: Escrow, refund: Refund, loss: Loss, now: datetime) -> None:
    """Record what a refund after the release took from the freelancer."""
    lost = loss.payee_minor + loss.receivable_minor
    if not lost:
        return
    entry = history.row(
        escrow.freelancer_id,
        HistoryType.REFUND,
        f"refund:{refund.pk}:share",
        Money(lost, loss.currency),
        now=now,
        direction="out",
        description=f"Refunded to {escrow.client.username} for “{escrow.agreement.title}”",
        escrow=escrow,
        refund=refund,
        sender_id=escrow.freelancer_id,
        recipient_id=escrow.client_id,
    )
    history.write([entry])


def share_restored(escrow: Escrow, refund: Refund, now: datetime) -> None:
    """Record that a refund after the release did not happen."""
    history.became(escrow.freelancer_id, f"refund:{refund.pk}:share", HistoryStatus.CANCELLED, now, "")


def share_carried(escrow: Escrow, failed: Refund, new_refund: Refund) -> None:
    """Let the freelancer's row of a failed refund after the release belong to the refund that retries it."""
    rows = HistoryRow.objects.filter(user_id=escrow.freelancer_id, reference=f"refund:{failed.pk}:share")
    rows.update(reference=f"refund:{new_refund.pk}:share", refund=new_refund)


def adjusted(adjustment: Adjustment, now: datetime) -> None:
    """Record an adjustment."""
    amount = adjustment.amount
    is_credit = amount.amount_minor > 0
    entry = history.row(
        adjustment.user_id,
        HistoryType.ADJUSTMENT,
        f"adjustment:{adjustment.pk}",
        amount if is_credit else -amount,
        now=now,
        direction="in" if is_credit else "out",
        description="Adjustment by our finance team",
        recipient_id=adjustment.user_id if is_credit else None,
        sender_id=None if is_credit else adjustment.user_id,
    )
    history.write([entry])


def adjustment_reversed(adjustment: Adjustment, reversal: AdjustmentReversal, now: datetime) -> None:
    """Record that an adjustment was taken back at the provider."""
    entry = history.row(
        adjustment.user_id,
        HistoryType.ADJUSTMENT,
        f"adjustment:{adjustment.pk}:reversed:{reversal.pk}",
        reversal.amount,
        now=now,
        direction="out",
        description="The adjustment was taken back at the payment provider",
        sender_id=adjustment.user_id,
    )
    history.write([entry])
