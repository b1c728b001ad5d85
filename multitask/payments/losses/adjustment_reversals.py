"""Reversals of the transfers of adjustments, made at the provider: what was given is taken back.

Nothing here reverses such a transfer, so each was made by a person in the provider's dashboard. It is their decision
against the adjustment; who wants it all the same asks for a new one.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import audit, loss_history, loss_postings, postings
from multitask.payments.models import Adjustment, AdjustmentReversal, Operation
from multitask.payments.provider import ReversalState
from multitask.users.actor import Actor

_SYSTEM: Final = Actor.system("provider")


def apply(transfer: Operation, reversals: Iterable[ReversalState], now: datetime) -> None:
    """Post those reversals of a transfer that were not posted yet; the caller has locked the payee's balance."""
    adjustment = Adjustment.objects.select_for_update(no_key=True).get(pk=transfer.subject_id)
    known = set(adjustment.reversals.values_list("provider_reversal_id", flat=True))
    for reported in reversals:
        if reported.id not in known:
            _reversed(adjustment, transfer, reported, now)


def _reversed(adjustment: Adjustment, transfer: Operation, reported: ReversalState, now: datetime) -> None:
    assert transfer.account_id is not None  # noqa: S101
    reversal = AdjustmentReversal.objects.create(
        adjustment=adjustment,
        account_id=transfer.account_id,
        provider=adjustment.provider,
        provider_reversal_id=reported.id,
        amount_minor=reported.amount.amount_minor,
        ahead_minor=_missing(adjustment, reported.amount).amount_minor,
        currency=adjustment.currency,
        created_at=now,
    )
    audit.record("adjustment_reversed", actor=_SYSTEM, now=now, user_id=adjustment.user_id, amount=reversal.amount)
    loss_history.adjustment_reversed(adjustment, reversal, now)
    loss_postings.reverse_adjustment(adjustment, reversal, now)
    adjustment.reversed_minor += reversal.amount_minor
    if adjustment.made_available_at is None and not adjustment.left.amount_minor:
        adjustment.made_available_at = now  # Nothing is left to wait for.
    adjustment.save(update_fields=["reversed_minor", "made_available_at"])


def _missing(adjustment: Adjustment, amount: Money) -> Money:
    """Return how much of an amount the person does not have here any more; what is pending is all there."""
    if adjustment.made_available_at is None:
        return Money.zero(amount.currency)
    available = ledger.balance(postings.available_account(adjustment.user_id).code, amount.currency)
    return max(amount - available, Money.zero(amount.currency))
