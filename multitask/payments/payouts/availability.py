"""Availability: a freelancer's pending money becomes available once its funds have settled at the provider."""

from datetime import datetime
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import Exists, OuterRef, QuerySet

from multitask import database
from multitask.database import jobs
from multitask.money import Money
from multitask.payments.authorization import locks
from multitask.payments.books import audit, postings
from multitask.payments.models import ConnectedAccount, Escrow
from multitask.payments.operations import queue
from multitask.payments.payouts import onboarding, transfers
from multitask.payments.states import EscrowState, PaymentState
from multitask.users.actor import Actor

# How many escrows one job makes available at most.
BATCH: Final = 500
_SYSTEM: Final = Actor.system("settlement")

log = structlog.get_logger(__name__)


@database.transactional
def make_available(*, escrow_id: int, now: datetime) -> bool:
    """Make a released share available if its funds have settled; return whether it was made available now."""
    escrow = locks.lock_by_id(escrow_id)
    if escrow.state != EscrowState.RELEASED.value or escrow.made_available_at is not None:
        return False
    if not _is_payable(escrow, now):
        return False
    share = Money(escrow.released_minor - escrow.released_fee_minor, escrow.currency)
    escrow.made_available_at = now
    escrow.save(update_fields=["made_available_at"])
    audit.record("settled", actor=_SYSTEM, now=now, escrow=escrow, amount=share)
    postings.make_available(escrow, share, now)
    return True


def _is_payable(escrow: Escrow, now: datetime) -> bool:
    if escrow.frozen_at is not None or not transfers.is_transferred(escrow):
        return False
    account = onboarding.account_of(escrow.freelancer_id, escrow.provider)
    if account is None or not account.can_receive or not account.has_bank_for(escrow.currency):
        return False
    payment = escrow.payments.get(state=PaymentState.SUCCEEDED.value)
    return payment.available_at is not None and payment.available_at <= now


def due(*, now: datetime) -> list[int]:
    """Return the ids of released escrows whose funds have settled at the provider but are not available yet.

    There is no limit: with one, escrows that fail each time would block those after them.
    """
    return list(_due(now).values_list("pk", flat=True))


def _due(now: datetime) -> QuerySet[Escrow]:
    receiving = ConnectedAccount.objects.filter(
        user_id=OuterRef("freelancer_id"),
        provider=OuterRef("provider"),
        provider_account_id__isnull=False,
        transfers_enabled=True,
        closed=False,
        bank_currencies__contains=[OuterRef("currency")],
    )
    waiting = Escrow.objects.filter(
        Exists(transfers.arrived(OuterRef("pk"))),
        Exists(receiving),
        state=EscrowState.RELEASED.value,
        made_available_at=None,
        frozen_at=None,
        payments__state=PaymentState.SUCCEEDED.value,
        payments__available_at__lte=now,
    )
    return waiting.order_by("pk")


@database.transactional
def account_balance_changed(provider: str, account_id: str, now: datetime) -> None:
    """Queue a job for the account whose available balance changed at the provider.

    Does nothing while such a job waits in the queue or if the account has no pending shares.
    """
    accounts = ConnectedAccount.objects.filter(provider=provider, provider_account_id=account_id)
    account = accounts.exclude(jobs.is_queued(queue.MAKE_ACCOUNT_AVAILABLE, "account_id", by=now)).first()
    if account is not None and _unsettled(account).exists():
        queue.defer(queue.MAKE_ACCOUNT_AVAILABLE, account_id=account.pk)


def _unsettled(account: ConnectedAccount) -> QuerySet[Escrow]:
    return Escrow.objects.filter(
        freelancer_id=account.user_id,
        provider=account.provider,
        state=EscrowState.RELEASED.value,
        made_available_at=None,
    )


def make_account_available(*, account_id: int, now: datetime, after: int = 0, limit: int = BATCH) -> int:
    """Make the due shares of one account available, each in its own transaction; return how many.

    At most `limit` escrows with ids above `after` are processed; another job is queued for the rest. An error on one
    escrow does not block the others: it is logged, and `due` finds the escrow again.
    """
    account = ConnectedAccount.objects.get(pk=account_id)
    found = _due(now).filter(freelancer_id=account.user_id, provider=account.provider, pk__gt=after)
    escrow_ids = list(found.values_list("pk", flat=True)[:limit])
    if len(escrow_ids) == limit:
        last = escrow_ids[-1]
        database.run(lambda: queue.defer(queue.MAKE_ACCOUNT_AVAILABLE, account_id=account_id, after=last))
    return sum(_try_to_settle(escrow_id, now) for escrow_id in escrow_ids)


def _try_to_settle(escrow_id: int, now: datetime) -> bool:
    try:
        return make_available(escrow_id=escrow_id, now=now)
    except (OperationalError, InterfaceError):
        raise  # The database is unreachable, so the others would fail as well.
    except Exception:
        log.exception("settlement_failed", escrow=escrow_id)
        return False
