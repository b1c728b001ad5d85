"""Payouts from the budget that the provider accepted and whose end it does not report: after a week finance decides.

The week begins when the provider accepted the payout, however long that was after its allotment: until it is over the
payout may be on its way. It is polled, and afterwards too: an end that the provider reports counts whenever it comes.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet

from multitask import database
from multitask.payments.models import Disbursement, Operation
from multitask.payments.operations import engine, held_calls
from multitask.payments.operations.attempt import Undecided
from multitask.payments.payouts.budget import DISBURSE, DISBURSE_REFUND
from multitask.payments.provider import CannotTell, Found, PayoutStatus, Search
from multitask.payments.states import OperationState

# Longer than banks take, also over public holidays.
OVERDUE_AFTER: Final = timedelta(days=7)
ENDED: Final = frozenset({PayoutStatus.PAID, PayoutStatus.FAILED, PayoutStatus.CANCELLED})
OVERDUE: Final = CannotTell("payout_overdue", "The payment provider does not report how the payout ended.")


def due(*, now: datetime) -> list[int]:
    """Return the ids of payouts that were accepted too long ago and are not held for the staff yet."""
    overdue = _open().filter(Exists(_accepted(OuterRef("pk"), now)))
    return list(overdue.order_by("pk").values_list("pk", flat=True))


@database.transactional
def hold(*, disbursement_id: int, now: datetime) -> None:
    """Hold a payout that does not end until finance decides; its money stays reserved."""
    locked = _open().select_for_update(no_key=True).filter(pk=disbursement_id).first()
    if locked is not None and _accepted(locked.pk, now).exists():
        held_calls.hold_for_staff(_kind(locked), locked.pk, code=OVERDUE.code, message=OVERDUE.message)


def stays_open(disbursement: Disbursement, status: PayoutStatus, now: datetime) -> bool:
    """Return whether a payout that the provider reports is overdue and has not ended, so that finance may decide."""
    if status in ENDED:
        return False
    call = engine.latest(_kind(disbursement), disbursement.pk)
    # A call that was held after it was accepted keeps this moment.
    return call is not None and call.finished_at is not None and call.finished_at <= _latest(now)


def require_ended(disbursement: Disbursement, found: Search[Any], now: datetime) -> None:
    """Require that a look shows how an overdue payout ended that the provider had accepted. Raises Undecided."""
    if disbursement.provider_payout_id is None:
        return
    status = found.object.status if isinstance(found, Found) else PayoutStatus.PENDING
    if stays_open(disbursement, status, now):
        raise Undecided(found if isinstance(found, CannotTell) else OVERDUE)


def _open() -> QuerySet[Disbursement]:
    return Disbursement.objects.filter(ended_at=None, allotted_at__isnull=False)


def _accepted(subject_id: Any, now: datetime) -> QuerySet[Operation]:
    """Select the calls about a payout that the provider accepted too long ago."""
    return Operation.objects.filter(
        kind__in=[DISBURSE, DISBURSE_REFUND],
        subject_id=subject_id,
        state=OperationState.SUCCEEDED.value,
        finished_at__lte=_latest(now),
    )


def _kind(disbursement: Disbursement) -> str:
    return DISBURSE if disbursement.refund_id is None else DISBURSE_REFUND


def _latest(now: datetime) -> datetime:
    return now - OVERDUE_AFTER
