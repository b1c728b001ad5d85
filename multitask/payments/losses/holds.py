"""Holding what a chargeback contests: its own escrow's money and nothing else."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, F, OuterRef, Q

from multitask.money import Money
from multitask.payments.books import audit, loss_postings, shares
from multitask.payments.losses import positions, waterfall
from multitask.payments.models import Chargeback, Escrow, Loss
from multitask.payments.operations import held_calls
from multitask.payments.provider import ChargebackStatus
from multitask.payments.states import RefundState
from multitask.users.actor import Actor

_SYSTEM: Final = Actor.system("provider")
# These outcomes do not move any money.
HARMLESS: Final = frozenset({ChargebackStatus.WON, ChargebackStatus.WARNING_CLOSED, ChargebackStatus.PREVENTED})
_BOOKED: Final = Exists(Loss.objects.filter(chargeback=OuterRef("pk"), reversed_at=None))
# Open, or lost and not booked by finance yet.
CONTESTED: Final = ~Q(status__in=HARMLESS) & ~Q(_BOOKED)


def is_contested(escrow: Escrow) -> bool:
    """Return whether a chargeback of the payment that funded this escrow is open or not booked yet."""
    return any(
        positions.is_in_escrow(chargeback.payment)
        for chargeback in escrow.chargebacks.filter(CONTESTED).select_related("payment")
    )


def hold(escrow: Escrow, chargeback: Chargeback, now: datetime) -> None:
    """Hold what of the payee's share the chargeback would take; the caller holds the escrow's lock."""
    positions.lock_payee(escrow)
    shares = waterfall.share_out(chargeback.amount_minor, positions.of_chargeback(escrow, chargeback))
    # What was reversed at the provider is held already.
    wanted = shares.payee - positions.reversed_minor(escrow)
    if wanted <= 0 or chargeback.held_minor:
        return
    chargeback.held_minor = wanted
    chargeback.holds += 1
    chargeback.save(update_fields=["held_minor", "holds"])
    escrow.contested_minor += wanted
    escrow.save(update_fields=["contested_minor"])
    amount = Money(wanted, escrow.currency)
    loss_postings.contest(escrow, amount, f"chargeback:{chargeback.pk}:held:{chargeback.holds}", now)


def free(escrow: Escrow, chargeback: Chargeback, now: datetime) -> None:
    """Give the payee back what the chargeback held; the caller holds the escrow's lock."""
    amount = Money(chargeback.held_minor, escrow.currency)
    if not amount.amount_minor:
        return
    chargeback.held_minor = 0
    chargeback.save(update_fields=["held_minor"])
    escrow.contested_minor -= amount.amount_minor
    escrow.save(update_fields=["contested_minor"])
    shares.free(escrow, amount, f"chargeback:{chargeback.pk}:freed:{chargeback.holds}", now)


def use_reversed(escrow: Escrow, payee_minor: int) -> int:
    """Use what was reversed at the provider for the payee's part of a loss; return how much, in minor units.

    It has come back already, so that nothing is left to decide about a reversal that is used up. The caller books it.
    """
    reversed_minor = positions.reversed_minor(escrow)
    used = min(reversed_minor, payee_minor)
    if used and used == reversed_minor:
        escrow.reversals.filter(is_decided=False).update(is_decided=True)
    return used


def _prolong(escrow: Escrow, held_for: timedelta) -> None:
    """Give both sides the time back in which nothing could be done, before silence decides; the caller saves."""
    if escrow.auto_release_at is not None:
        escrow.auto_release_at += max(held_for, timedelta())
    asked = escrow.refunds.filter(source="escrow", state=RefundState.REQUESTED.value, answer_by_at__isnull=False)
    asked.update(answer_by_at=F("answer_by_at") + max(held_for, timedelta()))


def freeze_or_unfreeze(escrow: Escrow, now: datetime) -> None:
    """Freeze the escrow while it is contested."""
    contested = is_contested(escrow)
    if contested == (escrow.frozen_at is not None):
        return
    if escrow.frozen_at is not None:
        _prolong(escrow, now - escrow.frozen_at)
    escrow.frozen_at = now if contested else None
    escrow.save(update_fields=["frozen_at", "auto_release_at"])
    audit.record("frozen" if contested else "unfrozen", actor=_SYSTEM, now=now, escrow=escrow)
    if not contested:
        held_calls.retry_waiting(escrow.freelancer_id, now=now)
