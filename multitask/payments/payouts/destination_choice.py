"""Which destination a payout goes to: the one in use, unless it refused the last payout and another one is coming."""

from datetime import datetime
from typing import Final

from multitask.payments.models import Disbursement, PayoutDestination
from multitask.payments.operations import engine
from multitask.payments.payouts import destinations
from multitask.payments.provider import Disburses
from multitask.payments.states import RefundState, WithdrawalState

_FAILED: Final = (WithdrawalState.FAILED.value, RefundState.FAILED.value)


def of(*, user_id: int, currency: str, now: datetime) -> PayoutDestination | None:
    """Return the destination to which a payout begun now goes, None without one. At most three statements.

    While its `usable_from` is to come, the payout waits for it: nothing is usable yet, or what is in use failed with
    the last payout, and its owner has added another one since.
    """
    present = destinations.listed(user_id=user_id, now=now, currency=currency)
    if not present:
        return None
    in_use, coming = present[0], present[-1]
    return coming if coming != in_use and _has_failed(in_use) else in_use


def _has_failed(destination: PayoutDestination) -> bool:
    """Return whether the last payout to a destination failed because of the destination."""
    ended = Disbursement.objects.filter(destination=destination, ended_at__isnull=False)
    last = ended.select_related("withdrawal", "refund").order_by("-ended_at", "-pk").first()
    outcome = None if last is None else last.withdrawal or last.refund
    if last is None or outcome is None or outcome.state not in _FAILED:
        return False
    provider = engine.provider_for(last.provider, Disburses)
    return provider.payout_failure(outcome.failure_code, outcome.failure_reason).needs_new_details
