"""Polls the provider for open objects, since any webhook can be lost.

Users are waiting for recent objects, so those are polled more often. A read does what the webhook would have done, so
both may come, in any order.

There may be more objects than one poll can read. Each poll reads the newest that are due, then continues where the
previous poll stopped, down to the oldest (`PollPosition`).
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import Error
from django.db.models import Exists, F, Func, IntegerField, OuterRef, Q, QuerySet

from multitask import providers
from multitask.payments.errors import UnknownObject
from multitask.payments.losses import chargebacks, fraud_warnings
from multitask.payments.models import Chargeback, ConnectedAccount, Disbursement, Escrow, Payment, Refund, Withdrawal
from multitask.payments.provider import (
    DISBURSEMENTS_AT_ONCE,
    Disburses,
    Disputes,
    Provider,
    ProviderError,
    Subject,
    Unavailable,
    supporting,
    supports,
)
from multitask.payments.states import HOLDING_ESCROWS, EscrowState, PaymentState, RefundState, WithdrawalState
from multitask.webhooks import dispatch
from multitask.webhooks.models import IncomingEvent, PollPosition

log = structlog.get_logger(__name__)

# Webhooks rarely take longer than this, so younger objects are not polled.
GRACE: Final = timedelta(seconds=30)
# Minutes between polls, by the maximum age of the object.
CADENCE: Final = (
    (1, timedelta(minutes=15)),
    (15, timedelta(days=1)),
    (60, timedelta(days=30)),
)
# A bank may return a paid payout or refund; polled once a day.
SENT_BACK_WITHIN: Final = timedelta(days=14)
_MINUTES_A_DAY: Final = 24 * 60
# We do not create chargebacks, so new ones have no row here: the provider lists those opened recently every so many
# minutes, and once a day those opened within a longer period, which covers outages.
OPENED_WITHIN: Final = (
    (15, timedelta(days=3)),
    (_MINUTES_A_DAY, timedelta(days=30)),
)
# Minutes between polls of payout accounts that are complete: while money moves to them or from them, and otherwise.
IN_USE_EVERY: Final = 15
IDLE_EVERY: Final = 15
# The most idle accounts that one poll reads of the newest and of the others. With more of them than fit into fifteen
# polls, the polls go on reading that many a minute, which is a small part of what the provider allows.
IDLE_AT_ONCE: Final = 100
# The most that one poll reads of each group: of the newest, and of those where the previous poll stopped.
NEWEST: Final = 500
BEHIND: Final = 500
_MINUTES: Final = "minutes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Objects of one kind and age that are polled together; `is_due` when their minute has come.

    `rows` selects the open ones; `columns` are the provider's name, the object's id and, for objects in a connected
    account, that account's id. `at_once` is how many are read by one call, `most` how many one poll
    reads of the newest and of the others.
    """

    name: str
    subject: Subject
    rows: QuerySet[Any]
    columns: tuple[str, ...]
    is_due: bool
    at_once: int = 1
    most: tuple[int, int] = (NEWEST, BEHIND)


def refresh_open(*, now: datetime, since: datetime | None = None) -> int:
    """Read the open objects that are due now or fell due since the last poll or `since`; return how many.

    So a delayed poll also reads what fell due meanwhile, which matters for objects that are due once a day.
    """
    positions = {position.name: position for position in PollPosition.objects.all()}
    last = positions.get(_MINUTES)
    if last is not None and last.polled_at is not None:
        missed = last.polled_at + timedelta(minutes=1)
        since = missed if since is None else min(since, missed)
    read = sum(_poll(group, positions.get(group.name), now) for group in groups(now=now, since=since))
    contested = [(0, event) for event in changed_chargebacks(now=now, since=since)]
    read += _read_all(contested, now)[0]
    PollPosition.objects.update_or_create(name=_MINUTES, defaults={"polled_at": now})
    return read


def due(*, now: datetime, since: datetime | None = None) -> Iterator[IncomingEvent]:
    """Yield every due object, newest first in its group, as the event that may have been lost."""
    for group in groups(now=now, since=since):
        if group.is_due:
            yield from (event for _, event in _events(group, group.rows))


def changed_chargebacks(*, now: datetime, since: datetime | None = None) -> Iterator[IncomingEvent]:
    """Yield chargebacks and fraud warnings that are not stored or have changed at the provider, if a listing is due."""
    met = _Minutes(now, since)
    ages = [age for every, age in OPENED_WITHIN if met.one_of(every)]
    if not ages:
        return
    for provider in providers.every():
        if not supports(provider, Disputes):
            continue
        opened = (now if since is None else min(now, since)) - max(ages)
        for subject, found in [*_contested(provider, opened), *_suspected(provider, opened)]:
            yield IncomingEvent(provider=provider.name, subject=subject.value, object_id=found)


class _Minutes:
    """The minutes that this poll covers."""

    def __init__(self, now: datetime, since: datetime | None) -> None:
        self.last = int(now.timestamp() // 60)
        self.first = self.last if since is None else min(self.last, int(since.timestamp() // 60))

    def one_of(self, every: int) -> bool:
        """Return whether one of these minutes is a multiple of `every`."""
        return self.last - self.last % every >= self.first


def groups(*, now: datetime, since: datetime | None = None) -> Iterator[Group]:
    """Yield all groups of objects that are polled, with whether they are due."""
    met = _Minutes(now, since)
    # What fell due while no poll was made counts by its age then, however long that was.
    begun = now if since is None else min(now, since)
    younger = now - GRACE + timedelta.resolution
    for every, age in CADENCE:
        name, is_due, oldest = str(every), met.one_of(every), now - age
        if (every, age) == CADENCE[-1]:
            oldest = begun - age
        yield from _open(name, is_due, Q(created_at__gte=oldest, created_at__lt=younger))
        yield _undecided(name, is_due, Q(opened_at__gte=oldest, opened_at__lt=younger))
        younger = oldest
    is_due = met.one_of(_MINUTES_A_DAY)
    yield from _closed(is_due, begun - SENT_BACK_WITHIN)
    yield _without_bank(met.one_of(60))
    yield _accounts("in_use", met.one_of(IN_USE_EVERY), _in_use())
    idle = (Q(retired_at=None) | Q(closed=False)) & ~_in_use()
    yield _accounts("idle", met.one_of(IDLE_EVERY), idle, most=(IDLE_AT_ONCE, IDLE_AT_ONCE))
    # A bank may take months to decide.
    yield _undecided("daily", is_due, Q(opened_at__lt=younger))


def _open(name: str, is_due: bool, aged: Q) -> Iterator[Group]:
    # A succeeded payment is complete once the date of its availability is known.
    unpaid = Q(state=PaymentState.PENDING.value) | Q(state=PaymentState.SUCCEEDED.value, available_at=None)
    yield _payments(name, is_due, Payment.objects.filter(aged, unpaid))
    yield _refunds(name, is_due, Refund.objects.filter(aged, state=RefundState.PENDING.value))
    on_their_way = [WithdrawalState.PENDING.value, WithdrawalState.PROCESSING.value]
    yield _payouts(name, is_due, Withdrawal.objects.filter(aged, state__in=on_their_way))
    yield _disbursements(name, is_due, Disbursement.objects.filter(aged, ended_at=None))
    incomplete = Q(payouts_enabled=False) | Q(transfers_enabled=False)
    yield _accounts(name, is_due, aged & incomplete & Q(closed=False, retired_at=None))


def _accounts(name: str, is_due: bool, wanted: Q, *, most: tuple[int, int] = (NEWEST, BEHIND)) -> Group:
    return Group(
        name=f"accounts:{name}",
        subject=Subject.ACCOUNT,
        rows=ConnectedAccount.objects.filter(wanted).exclude(provider_account_id=None),
        columns=("provider", "provider_account_id"),
        is_due=is_due,
        most=most,
    )


def _in_use() -> Q:
    """Select current accounts whose owner is being paid: a share is released or will be, or a withdrawal is open."""
    paying = Escrow.objects.filter(
        Q(state__in=[state.value for state in HOLDING_ESCROWS])
        | Q(state=EscrowState.RELEASED.value, made_available_at=None),
        freelancer_id=OuterRef("user_id"),
        provider=OuterRef("provider"),
    )
    on_their_way = [WithdrawalState.PENDING.value, WithdrawalState.PROCESSING.value]
    leaving = Withdrawal.objects.filter(account=OuterRef("pk"), state__in=on_their_way)
    return Q(closed=False, retired_at=None) & (Q(Exists(paying)) | Q(Exists(leaving)))


def _without_bank(is_due: bool) -> Group:
    """Accounts in which released money waits for a bank account in its currency."""
    bank = Func(OuterRef("bank_currencies"), F("currency"), function="array_position", output_field=IntegerField())
    waiting = Escrow.objects.annotate(bank=bank).filter(
        bank__isnull=True,
        freelancer_id=OuterRef("user_id"),
        provider=OuterRef("provider"),
        state=EscrowState.RELEASED.value,
        made_available_at=None,
    )
    return _accounts("banks", is_due, Q(Exists(waiting)) & Q(closed=False, retired_at=None))


def _closed(is_due: bool, since: datetime) -> Iterator[Group]:
    succeeded = Refund.objects.filter(state=RefundState.SUCCEEDED.value, processed_at__gte=since)
    yield _refunds("closed", is_due, succeeded)
    # A refund made at a provider that reports totals alone shows in its payment.
    by_total = [each.name for each in providers.every() if not each.capabilities.honours_keys]
    paid = Q(state__in=[PaymentState.SUCCEEDED.value, PaymentState.REVIEW.value], succeeded_at__gte=since)
    yield _payments("closed", is_due, Payment.objects.filter(paid, provider__in=by_total))
    completed = Withdrawal.objects.filter(state=WithdrawalState.COMPLETED.value, processed_at__gte=since)
    yield _payouts("closed", is_due, completed)
    yield _disbursements("closed", is_due, Disbursement.objects.filter(ended_at__gte=since))


def _payments(name: str, is_due: bool, payments: QuerySet[Payment]) -> Group:
    return Group(
        name=f"payments:{name}",
        subject=Subject.PAYMENT,
        rows=payments.exclude(provider_payment_id=None),
        columns=("provider", "provider_payment_id"),
        is_due=is_due,
    )


def _refunds(name: str, is_due: bool, refunds: QuerySet[Refund]) -> Group:
    return Group(
        name=f"refunds:{name}",
        subject=Subject.REFUND,
        rows=refunds.exclude(provider_refund_id=None).filter(payment__is_refundable=True),
        columns=("provider", "provider_refund_id"),
        is_due=is_due,
    )


def _payouts(name: str, is_due: bool, withdrawals: QuerySet[Withdrawal]) -> Group:
    return Group(
        name=f"payouts:{name}",
        subject=Subject.PAYOUT,
        rows=withdrawals.exclude(provider_payout_id=None).exclude(account=None),
        columns=("provider", "provider_payout_id", "account__provider_account_id"),
        is_due=is_due,
    )


def _disbursements(name: str, is_due: bool, disbursements: QuerySet[Disbursement]) -> Group:
    return Group(
        name=f"disbursements:{name}",
        subject=Subject.PAYOUT,
        rows=disbursements.exclude(provider_payout_id=None),
        columns=("provider", "provider_payout_id"),
        is_due=is_due,
        at_once=DISBURSEMENTS_AT_ONCE,
    )


def _undecided(name: str, is_due: bool, opened: Q) -> Group:
    return Group(
        name=f"chargebacks:{name}",
        subject=Subject.DISPUTE,
        rows=Chargeback.objects.filter(opened, closed_at=None),
        columns=("provider", "provider_dispute_id"),
        is_due=is_due,
    )


def _contested(provider: Provider, since: datetime) -> list[tuple[Subject, str]]:
    try:
        changed = chargebacks.changed_ids(provider.name, supporting(provider, Disputes).list_disputes(since=since))
    except (ProviderError, Error) as error:
        log.warning("poll_failed", subject=Subject.DISPUTE.value, fault=str(error))
        return []
    return [(Subject.DISPUTE, found) for found in changed]


def _suspected(provider: Provider, since: datetime) -> list[tuple[Subject, str]]:
    try:
        listed = supporting(provider, Disputes).list_fraud_warnings(since=since)
        changed = fraud_warnings.changed_ids(provider.name, listed)
    except (ProviderError, Error) as error:
        log.warning("poll_failed", subject=Subject.FRAUD_WARNING.value, fault=str(error))
        return []
    return [(Subject.FRAUD_WARNING, found) for found in changed]


def _poll(group: Group, position: PollPosition | None, now: datetime) -> int:
    """Read a part of the group: the newest if it is due, and those that earlier polls did not reach."""
    before = after_id = None if position is None else position.after_id
    if not group.is_due and after_id is None:
        return 0
    (most_new, most_behind), read, is_away = group.most, 0, False
    if group.is_due:
        newest = list(_events(group, group.rows, most_new))
        read, reached, is_away = _read_all(newest, now, group.at_once)
        if is_away or (after_id is None and len(newest) == most_new):
            after_id = reached
    if after_id is not None and not is_away:
        behind = list(_events(group, group.rows.filter(pk__lt=after_id), most_behind))
        more, after_id, is_away = _read_all(behind, now, group.at_once)
        read += more
        # Fewer than the limit: the oldest has been read.
        after_id = after_id if is_away or len(behind) == most_behind else None
    if after_id != before:
        PollPosition.objects.update_or_create(name=group.name, defaults={"after_id": after_id})
    return read


def _events(group: Group, rows: QuerySet[Any], limit: int | None = None) -> Iterator[tuple[int, IncomingEvent]]:
    """Yield the objects with the ids of their rows, newest first."""
    for row_id, name, found, *owner in rows.order_by("-pk").values_list("pk", *group.columns)[:limit]:
        event = IncomingEvent(provider=name, subject=group.subject.value, object_id=found, account_id="".join(owner))
        yield row_id, event


def _read_all(
    objects: list[tuple[int, IncomingEvent]], now: datetime, at_once: int = 1
) -> tuple[int, int | None, bool]:
    """Read objects until the provider is unavailable; return how many were read, the last row, and whether it is.

    The rest is left for the next poll. The object that failed may be the cause, so that poll skips it.
    """
    read, row_id = 0, None
    for first in range(0, len(objects), at_once):
        some = objects[first : first + at_once]
        row_id, event = some[-1]
        try:
            read += _refresh(event, now) if at_once == 1 else _refresh_together([each for _, each in some], now)
        except Unavailable as error:
            log.warning("poll_put_off", subject=event.subject, object=event.object_id, fault=str(error))
            return read, row_id, True
    return read, row_id, False


def _refresh_together(wanted: list[IncomingEvent], now: datetime) -> int:
    """Read payouts from budgets, those of each provider by one call; return how many were read."""
    read = 0
    for name in sorted({event.provider for event in wanted}):
        provider = providers.get(name)
        ours = {event.object_id: event for event in wanted if event.provider == name}
        try:
            states = supporting(provider, Disburses).read_disbursements(list(ours))
        except Unavailable:
            raise
        except ProviderError as error:
            log.warning("poll_failed", subject=Subject.PAYOUT.value, provider=name, fault=str(error))
            continue
        read += sum(
            _attempt(ours[found], functools.partial(dispatch.apply, ours[found], provider, state, now=now))
            for found, state in states.items()
        )
    return read


def _refresh(wanted: IncomingEvent, now: datetime) -> bool:
    """Read one object. Raises Unavailable when the provider accepts no calls now."""
    return _attempt(wanted, functools.partial(dispatch.refresh, wanted, now=now))


def _attempt(wanted: IncomingEvent, work: Callable[[], None]) -> bool:
    """Return whether it succeeded; an error on one object does not block the others, and its next poll retries it.

    Raises Unavailable when the provider accepts no calls now.
    """
    try:
        work()
    except Unavailable:
        raise
    except (dispatch.NotOurs, UnknownObject, ProviderError, Error) as error:
        log.warning("poll_failed", subject=wanted.subject, object=wanted.object_id, fault=str(error))
        return False
    except Exception:
        log.exception("poll_failed", subject=wanted.subject, object=wanted.object_id)
        return False
    return True
