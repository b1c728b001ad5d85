"""Availability: a freelancer's pending money becomes available once its funds have settled at the provider."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import Exists, OuterRef, Q, QuerySet

from multitask import database, ledger
from multitask.database import jobs
from multitask.ledger.models import Balance
from multitask.payments.authorization import locks
from multitask.payments.books import audit, postings, shares
from multitask.payments.models import ConnectedAccount, Escrow, Payment
from multitask.payments.operations import queue
from multitask.payments.payouts import account_balances, transfers
from multitask.payments.provider import RouteKind
from multitask.payments.states import EscrowState, PaymentState
from multitask.users.actor import Actor

# How many escrows one job makes available at most.
BATCH: Final = 500
_SYSTEM: Final = Actor.system("settlement")

log = structlog.get_logger(__name__)


@database.transactional
def make_available(*, escrow_id: int, now: datetime) -> bool:
    """Make a released share available if its funds have settled; return whether it was made available now."""
    return _make_available([escrow_id], now) == 1


def make_available_together(escrow_ids: Sequence[int], *, now: datetime) -> int:
    """Make the shares available whose funds have settled, in one transaction; return how many there are."""
    return database.run_together(lambda: _make_available(escrow_ids, now))


def _make_available(escrow_ids: Sequence[int], now: datetime) -> int:
    """Lock the escrows before any account, in one order: other commands lock one escrow and then its account."""
    together: list[ledger.Request] = []
    settled = 0
    escrows = [locks.lock_by_id(escrow_id) for escrow_id in sorted(escrow_ids)]
    if len(escrows) > 1:
        shares.lock_accounts(*(escrow.freelancer_id for escrow in escrows))
    for escrow in escrows:
        if escrow.state != EscrowState.RELEASED.value or escrow.made_available_at is not None:
            continue
        if not _is_payable(escrow, now):
            continue
        share = escrow.payee_share
        escrow.made_available_at = now
        escrow.save(update_fields=["made_available_at"])
        audit.record("settled", actor=_SYSTEM, now=now, escrow=escrow, amount=share)
        settled += 1
        if share.amount_minor:
            ahead = shares.paid_ahead(escrow.freelancer_id, share)
            posting = postings.make_available(escrow, share, ahead, now)
            if ahead.amount_minor:
                # Posted now, since it changes what the next share finds paid ahead.
                ledger.post_many([posting])
            else:
                together.append(posting)
    ledger.post_many(together)
    return settled


def _is_payable(escrow: Escrow, now: datetime) -> bool:
    if escrow.frozen_at is not None:
        return False
    if escrow.is_on_platform:
        return True  # It is with the platform since it was paid.
    # Where nothing is left of the share, nothing waits for an account; the one it went to may be closed by now.
    if (escrow.payee_share.amount_minor or escrow.contested_minor) and not _can_be_paid_out(escrow):
        return False
    payment = escrow.payments.get(state=PaymentState.SUCCEEDED.value)
    return payment.available_at is not None and payment.available_at <= now


def _can_be_paid_out(escrow: Escrow) -> bool:
    """Return whether the share lies in the payee's account, which can pay out; locks the account.

    Locked, so that what was paid out ahead is netted once. What was in a closed account must have been paid out to the
    last cent, as finance records it.
    """
    account = transfers.locked_destination(escrow)
    if account is not None and account.closed:
        return _was_paid_out(escrow, account)
    return account is not None and account.can_receive and account.has_bank_for(escrow.currency)


def _was_paid_out(escrow: Escrow, closed: ConnectedAccount) -> bool:
    is_left = ledger.balance(postings.connected_account(closed.provider, closed.pk).code, escrow.currency).amount_minor
    return not is_left and not escrow.contested_minor and not transfers.under_way(escrow)


def due(*, now: datetime) -> list[int]:
    """Return the ids of released escrows whose funds have settled at the provider but are not available yet.

    There is no limit: with one, escrows that fail each time would block those after them.
    """
    return list(_due(now).values_list("pk", flat=True))


def _due(now: datetime) -> QuerySet[Escrow]:
    arrived = transfers.arrived(OuterRef("pk"))
    payable = arrived.filter(
        account__transfers_enabled=True,
        account__closed=False,
        account__rejection="",
        account__retired_at=None,
        account__bank_currencies__contains=[OuterRef("currency")],
    )
    code = account_balances.code(OuterRef("provider"), OuterRef("account_id"))
    left = Balance.objects.filter(account__code=code, account__currency=OuterRef("escrow__currency"))
    paid_out = arrived.filter(~Exists(left.filter(balance_minor__lt=0)), account__closed=True)
    settled = Payment.objects.filter(escrow=OuterRef("pk"), state=PaymentState.SUCCEEDED.value, available_at__lte=now)
    waiting = Escrow.objects.annotate(share=shares.SHARE).filter(
        Q(route=RouteKind.PLATFORM.value)
        | Exists(settled) & (Exists(payable) | Q(Exists(paid_out) | Q(share=0), contested_minor=0)),
        state=EscrowState.RELEASED.value,
        made_available_at=None,
        frozen_at=None,
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
    """Make the due shares of one account available; return how many.

    At most `limit` escrows with ids above `after` are processed; another job is queued for the rest. They are settled
    `database.TOGETHER` at a time, and one by one if that fails. So an error on one escrow does not block the
    others: it is logged, and `due` finds the escrow again.
    """
    account = ConnectedAccount.objects.get(pk=account_id)
    found = _due(now).filter(freelancer_id=account.user_id, provider=account.provider, pk__gt=after)
    escrow_ids = list(found.values_list("pk", flat=True)[:limit])
    if len(escrow_ids) == limit:
        last = escrow_ids[-1]
        database.run(lambda: queue.defer(queue.MAKE_ACCOUNT_AVAILABLE, account_id=account_id, after=last))
    return sum(_settle_batch(batch, now) for batch in jobs.batches(escrow_ids, database.TOGETHER))


def _settle_batch(escrow_ids: Sequence[int], now: datetime) -> int:
    try:
        return make_available_together(escrow_ids, now=now)
    except Exception as error:
        log.warning("settlements_one_by_one", escrows=len(escrow_ids), fault=str(error))
    return sum(_try_to_settle(escrow_id, now) for escrow_id in escrow_ids)


def _try_to_settle(escrow_id: int, now: datetime) -> bool:
    try:
        return make_available(escrow_id=escrow_id, now=now)
    except (OperationalError, InterfaceError):
        raise  # The database is unreachable, so the others would fail as well.
    except Exception:
        log.exception("settlement_failed", escrow=escrow_id)
        return False
