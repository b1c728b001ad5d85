"""Reads again what the provider may have told us and we may never have heard: every webhook can be lost.

The younger an object, the more often it is asked about: whoever waits for it looks at the page now. A read
does what the webhook would have done, so both may come, in any order.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

import structlog
from django.db import Error
from django.db.models import Q, QuerySet

from multitask import providers
from multitask.payments import chargebacks
from multitask.payments.errors import UnknownObject
from multitask.payments.models import Chargeback, ConnectedAccount, Payment, Refund, Withdrawal
from multitask.payments.provider import Provider, ProviderError, Subject
from multitask.payments.states import PaymentState, RefundState, WithdrawalState
from multitask.webhooks import routes
from multitask.webhooks.models import IncomingEvent

log = structlog.get_logger(__name__)

# A webhook is hardly later than this, so nothing younger is asked about.
GRACE: Final = timedelta(seconds=30)
# How old an object may be to be asked about every so many minutes.
CADENCE: Final = (
    (1, timedelta(minutes=15)),
    (15, timedelta(days=1)),
    (60, timedelta(days=30)),
)
# A bank may send back what has arrived; that is asked once a day.
SENT_BACK_WITHIN: Final = timedelta(days=14)
_MINUTES_A_DAY: Final = 24 * 60
# A chargeback is nothing that we made, so none of our rows says that it should be asked about: every so many
# minutes the provider is asked which were opened lately, and once a day which were in an outage as long as this.
OPENED_WITHIN: Final = (
    (15, timedelta(days=3)),
    (_MINUTES_A_DAY, timedelta(days=30)),
)
_AT_MOST: Final = 1_000


def refresh_open(*, now: datetime, since: datetime | None = None) -> int:
    """Read every open object that is due at this minute or was `since`; answer how many were read.

    A poll that waited long for its turn thus also does what fell due meanwhile, which is once a day for some.
    """
    wanted = chain(due(now=now, since=since), unheard_of(now=now, since=since))
    return sum(_refresh(event, now) for event in wanted)


def due(*, now: datetime, since: datetime | None = None) -> Iterator[IncomingEvent]:
    """Objects to read, each as the event that may have been lost."""
    met = _Minutes(now, since)
    oldest = now - max(age for every, age in CADENCE if met.one_of(every))
    yield from _open(Q(created_at__gte=oldest, created_at__lte=now - GRACE))
    yield from _undecided(Q(opened_at__gte=oldest, opened_at__lte=now - GRACE))
    if met.one_of(_MINUTES_A_DAY):
        yield from _closed(now - SENT_BACK_WITHIN)
        # A bank may take months to decide.
        yield from _undecided(Q(opened_at__lt=oldest))


def unheard_of(*, now: datetime, since: datetime | None = None) -> Iterator[IncomingEvent]:
    """Chargebacks that the provider knows otherwise than we do, or alone; asked for when that is due."""
    met = _Minutes(now, since)
    ages = [age for every, age in OPENED_WITHIN if met.one_of(every)]
    if not ages:
        return
    for provider in providers.every():
        for found in _contested(provider, now - max(ages)):
            yield IncomingEvent(provider=provider.name, subject=Subject.DISPUTE.value, object_id=found)


class _Minutes:
    """The minutes that this poll answers for."""

    def __init__(self, now: datetime, since: datetime | None) -> None:
        self.last = int(now.timestamp() // 60)
        self.first = self.last if since is None else min(self.last, int(since.timestamp() // 60))

    def one_of(self, every: int) -> bool:
        """Say whether one of these minutes is a multiple of `every`."""
        return self.last - self.last % every >= self.first


def _open(young: Q) -> Iterator[IncomingEvent]:
    # A payment that has succeeded is complete once it is known when its money may be used.
    unpaid = Q(state=PaymentState.PENDING.value) | Q(state=PaymentState.SUCCEEDED.value, available_at=None)
    payments = Payment.objects.filter(young, unpaid).exclude(provider_payment_id=None)
    yield from _events(payments, Subject.PAYMENT, "provider_payment_id")
    refunds = Refund.objects.filter(young, state=RefundState.PENDING.value).exclude(provider_refund_id=None)
    yield from _events(refunds, Subject.REFUND, "provider_refund_id", provider="payment__provider")
    on_their_way = [WithdrawalState.PENDING.value, WithdrawalState.PROCESSING.value]
    yield from _payouts(Withdrawal.objects.filter(young, state__in=on_their_way))
    accounts = ConnectedAccount.objects.filter(young, closed=False).exclude(provider_account_id=None)
    accounts = accounts.filter(Q(payouts_enabled=False) | Q(transfers_enabled=False))
    yield from _events(accounts, Subject.ACCOUNT, "provider_account_id")


def _undecided(opened: Q) -> Iterator[IncomingEvent]:
    undecided = Chargeback.objects.filter(opened, closed_at=None)
    yield from _events(undecided, Subject.DISPUTE, "provider_dispute_id")


def _contested(provider: Provider, since: datetime) -> list[str]:
    try:
        return chargebacks.unheard_of(provider.name, provider.list_disputes(since=since))
    except (ProviderError, Error) as error:
        log.warning("poll_failed", subject=Subject.DISPUTE.value, fault=str(error))
        return []


def _closed(since: datetime) -> Iterator[IncomingEvent]:
    refunds = Refund.objects.filter(state=RefundState.SUCCEEDED.value, processed_at__gte=since)
    yield from _events(refunds, Subject.REFUND, "provider_refund_id", provider="payment__provider")
    yield from _payouts(Withdrawal.objects.filter(state=WithdrawalState.COMPLETED.value, processed_at__gte=since))


def _payouts(withdrawals: QuerySet[Withdrawal]) -> Iterator[IncomingEvent]:
    known = withdrawals.exclude(provider_payout_id=None)
    yield from _events(known, Subject.PAYOUT, "provider_payout_id", account="account__provider_account_id")


def _events(
    rows: QuerySet[Any], subject: Subject, object_id: str, *, provider: str = "provider", account: str = ""
) -> Iterator[IncomingEvent]:
    """The newest first: should there be too many, the oldest wait for their next turn."""
    columns = [provider, object_id, *([account] if account else [])]
    for name, found, *owner in rows.order_by("-pk").values_list(*columns)[:_AT_MOST]:
        yield IncomingEvent(provider=name, subject=subject.value, object_id=found, account_id="".join(owner))


def _refresh(wanted: IncomingEvent, now: datetime) -> bool:
    """Read one object; whatever goes wrong with it is left for its next turn, and keeps no other waiting."""
    try:
        routes.refresh(wanted, now=now)
    except (routes.NotOurs, UnknownObject, ProviderError, Error) as error:
        log.warning("poll_failed", subject=wanted.subject, object=wanted.object_id, fault=str(error))
        return False
    return True
