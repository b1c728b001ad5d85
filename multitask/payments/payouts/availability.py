"""Availability: pending money becomes available once the funds have settled in the connected account."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef

from multitask import database
from multitask.database import jobs
from multitask.money import Money
from multitask.payments.authorization import access
from multitask.payments.books import audit, postings
from multitask.payments.models import ConnectedAccount, Escrow
from multitask.payments.operations import queue
from multitask.payments.payouts import onboarding, transfers
from multitask.payments.states import EscrowState, PaymentState
from multitask.users.actor import Actor

_SYSTEM = Actor.system("settlement")


@database.transactional
def settle(*, escrow_id: int, now: datetime) -> bool:
    """Make a released share available if its funds have settled; return whether it was made available now."""
    escrow = access.lock_by_id(escrow_id)
    if escrow.state != EscrowState.RELEASED.value or escrow.settled_at is not None:
        return False
    if not _may_settle(escrow, now):
        return False
    share = Money(escrow.released_minor - escrow.released_fee_minor, escrow.currency)
    escrow.settled_at = now
    escrow.save(update_fields=["settled_at"])
    audit.record("settled", actor=_SYSTEM, now=now, escrow=escrow, amount=share)
    postings.settle(escrow, share, now)
    return True


def _may_settle(escrow: Escrow, now: datetime) -> bool:
    if escrow.frozen_at is not None or not transfers.is_transferred(escrow):
        return False
    account = onboarding.account_of(escrow.freelancer_id, escrow.provider)
    if account is None or not account.can_receive:
        return False
    payment = escrow.payments.get(state=PaymentState.SUCCEEDED.value)
    return payment.available_at is not None and payment.available_at <= now


def due(*, now: datetime) -> list[int]:
    """Return the ids of released escrows whose funds have settled at the provider but are not available yet.

    There is no limit: with one, escrows that fail each time would block those after them.
    """
    receiving = ConnectedAccount.objects.filter(
        user_id=OuterRef("freelancer_id"),
        provider=OuterRef("provider"),
        provider_account_id__isnull=False,
        transfers_enabled=True,
        closed=False,
    )
    waiting = Escrow.objects.filter(
        Exists(transfers.arrived(OuterRef("pk"))),
        Exists(receiving),
        state=EscrowState.RELEASED.value,
        settled_at=None,
        frozen_at=None,
        payments__state=PaymentState.SUCCEEDED.value,
        payments__available_at__lte=now,
    )
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def account_balance_changed(provider: str, account_id: str, now: datetime) -> None:
    """Queue a check of all pending shares of an account whose available balance changed at the provider.

    Escrows that already have a queued job get no second one, so a series of events creates jobs only once.
    """
    account = ConnectedAccount.objects.filter(provider=provider, provider_account_id=account_id).first()
    if account is None:
        return
    waiting = Escrow.objects.filter(
        freelancer_id=account.user_id, state=EscrowState.RELEASED.value, settled_at=None
    ).order_by("pk")
    for batch in jobs.batches(list(waiting.values_list("pk", flat=True))):
        _queue_settlements(batch, now)


@database.transactional
def _queue_settlements(escrow_ids: Sequence[int], now: datetime) -> None:
    without_job = Escrow.objects.filter(~jobs.is_queued(queue.SETTLE, "escrow_id", by=now), pk__in=escrow_ids)
    for escrow_id in without_job.order_by("pk").values_list("pk", flat=True):
        queue.defer(queue.SETTLE, escrow_id=escrow_id)
