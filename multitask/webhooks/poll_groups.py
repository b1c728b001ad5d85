"""What is polled, and when: the open objects of each kind, by their age, and closed ones that may still change."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, F, Func, IntegerField, OuterRef, Q, QuerySet

from multitask import providers
from multitask.payments.funding.cancellations import CANCEL_PAYMENT
from multitask.payments.models import (
    Chargeback,
    ConnectedAccount,
    Disbursement,
    Escrow,
    Operation,
    Payment,
    Refund,
    Withdrawal,
)
from multitask.payments.payouts import lost_answers
from multitask.payments.provider import (
    DISBURSEMENTS_AT_ONCE,
    Collects,
    Disburses,
    Disputes,
    HoldsAccounts,
    PaysOut,
    Refunds,
    Subject,
    supports,
)
from multitask.payments.states import HOLDING_ESCROWS, EscrowState, PaymentState, RefundState, WithdrawalState

# Webhooks rarely take longer than this, so younger objects are not polled.
GRACE: Final = timedelta(seconds=30)
# Minutes between polls, by the maximum age of the object; what is open and older is polled once a day.
CADENCE: Final = (
    (1, timedelta(minutes=15)),
    (15, timedelta(days=1)),
    (60, timedelta(days=30)),
)
# A bank may return a paid payout or refund; polled once a day. So is a payment that others can refund, and for as long
# as its money is in escrow.
SENT_BACK_WITHIN: Final = timedelta(days=14)
MINUTES_A_DAY: Final = 24 * 60
# A payout that ended without an answer is looked for each hour at first, since its money may be withdrawn again.
LOOKED_FOR_WITHIN: Final = timedelta(days=1)
# Minutes between polls of payout accounts that are complete: while money moves to them or from them, and otherwise.
IN_USE_EVERY: Final = 15
IDLE_EVERY: Final = 15
# The most that one poll reads of each group: of the newest, and of those where the previous poll stopped.
NEWEST: Final = 500
BEHIND: Final = 500
# The same of idle accounts. With more of them than fit into fifteen polls, the polls go on reading that many a minute,
# which is a small part of what the provider allows.
IDLE_AT_ONCE: Final = 100
# Where payments only expire, such as a bill that is taken to a kiosk late.
PAID_LATE_WITHIN: Final = timedelta(days=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Objects of one kind and age that are polled together; `is_due` when their minute has come.

    `needs` is the protocol of providers that have such objects. `rows` selects the open ones; `columns` are the
    provider's name, the object's id and, for objects in a connected account, that account's id. `at_once` is how many
    are read by one call, `most` how many one poll reads of the newest and of the others. `by_reference`: the provider's
    id is not known, and the column of the id is our reference.
    """

    name: str
    subject: Subject
    needs: type[Any]
    rows: QuerySet[Any]
    columns: tuple[str, ...]
    is_due: bool
    at_once: int = 1
    most: tuple[int, int] = (NEWEST, BEHIND)
    by_reference: bool = False


class Minutes:
    """The minutes that this poll covers."""

    def __init__(self, now: datetime, since: datetime | None) -> None:
        self.last = int(now.timestamp() // 60)
        self.first = self.last if since is None else min(self.last, int(since.timestamp() // 60))

    def one_of(self, every: int) -> bool:
        """Return whether one of these minutes is a multiple of `every`."""
        return self.last - self.last % every >= self.first


def groups(*, now: datetime, since: datetime | None = None) -> Iterator[Group]:
    """Yield all groups of objects that are polled, with whether they are due."""
    met = Minutes(now, since)
    # What fell due while no poll was made counts by its age then, however long that was.
    begun = now if since is None else min(now, since)
    younger = now - GRACE + timedelta.resolution
    for every, age in CADENCE:
        name, is_due, oldest = str(every), met.one_of(every), now - age
        if (every, age) == CADENCE[-1]:
            oldest = begun - age
        aged = Q(created_at__gte=oldest, created_at__lt=younger)
        yield from _open(name, is_due, aged)
        yield _incomplete(name, is_due, aged)
        yield _undecided(name, is_due, Q(opened_at__gte=oldest, opened_at__lt=younger))
        younger = oldest
    is_due = met.one_of(MINUTES_A_DAY)
    # Whatever its age: a bank may take months to decide, and money may be in what nobody else looks at.
    yield from _open("daily", is_due, Q(created_at__lt=younger))
    yield _undecided("daily", is_due, Q(opened_at__lt=younger))
    yield from _closed(is_due, begun)
    recent = begun - LOOKED_FOR_WITHIN
    yield _lost("lost", met.one_of(60), lost_answers.found(since=recent, until=now))
    yield _lost("lost_before", is_due, lost_answers.found(since=begun - SENT_BACK_WITHIN, until=recent))
    yield _without_bank(met.one_of(60))
    yield _accounts("in_use", met.one_of(IN_USE_EVERY), _in_use())
    idle = (Q(retired_at=None) | Q(closed=False)) & ~_in_use()
    yield _accounts("idle", met.one_of(IDLE_EVERY), idle, most=(IDLE_AT_ONCE, IDLE_AT_ONCE))


def by_provider(found: Iterable[Group]) -> Iterator[Group]:
    """Divide groups by provider, so that what one of them refuses holds up no object of another."""
    used = providers.every()
    for group in found:
        for provider in used:
            if supports(provider, group.needs):
                rows = group.rows.filter(provider=provider.name)
                yield replace(group, name=f"{group.name}:{provider.name}", rows=rows)


def _open(name: str, is_due: bool, aged: Q) -> Iterator[Group]:
    # A succeeded payment is complete once the date of its availability is known.
    unpaid = Q(state=PaymentState.PENDING.value) | Q(state=PaymentState.SUCCEEDED.value, available_at=None)
    yield _payments(name, is_due, Payment.objects.filter(aged, unpaid))
    yield _refunds(name, is_due, Refund.objects.filter(aged, state=RefundState.PENDING.value))
    on_their_way = [WithdrawalState.PENDING.value, WithdrawalState.PROCESSING.value]
    yield _payouts(name, is_due, Withdrawal.objects.filter(aged, state__in=on_their_way))
    yield _disbursements(name, is_due, Disbursement.objects.filter(aged, ended_at=None))


def _incomplete(name: str, is_due: bool, aged: Q) -> Group:
    incomplete = Q(payouts_enabled=False) | Q(transfers_enabled=False)
    return _accounts(name, is_due, aged & incomplete & Q(closed=False, retired_at=None))


def _accounts(name: str, is_due: bool, wanted: Q, *, most: tuple[int, int] = (NEWEST, BEHIND)) -> Group:
    return Group(
        name=f"accounts:{name}",
        subject=Subject.ACCOUNT,
        needs=HoldsAccounts,
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


def _closed(is_due: bool, begun: datetime) -> Iterator[Group]:
    since = begun - SENT_BACK_WITHIN
    succeeded = Refund.objects.filter(state=RefundState.SUCCEEDED.value, processed_at__gte=since)
    yield _refunds("closed", is_due, succeeded)
    yield _payments("closed", is_due, _refunded_by_total(since))
    yield _payments("cancelled", is_due, _paid_late(begun - PAID_LATE_WITHIN))
    completed = Withdrawal.objects.filter(state=WithdrawalState.COMPLETED.value, processed_at__gte=since)
    yield _payouts("closed", is_due, completed)
    yield _disbursements("closed", is_due, Disbursement.objects.filter(ended_at__gte=since))


def _refunded_by_total(since: datetime) -> QuerySet[Payment]:
    """Select payments at providers that report totals alone, where a refund by others shows in its payment.

    As long as their money is here: it must not be released or returned once it has gone back.
    """
    by_total = [each.name for each in providers.every() if not each.capabilities.honours_keys]
    is_held = Q(escrow__state__in=[state.value for state in HOLDING_ESCROWS]) | Q(escrow__released_at__gte=since)
    paid = Q(state=PaymentState.SUCCEEDED.value) & (Q(succeeded_at__gte=since) | is_held)
    return Payment.objects.filter(paid | Q(state=PaymentState.REVIEW.value), provider__in=by_total)


def _paid_late(since: datetime) -> QuerySet[Payment]:
    """Select payments that we cancelled where nothing keeps the provider from taking money for what was begun."""
    expiring = [each.name for each in providers.every() if each.capabilities.payments_expire_after is not None]
    ended = Operation.objects.filter(kind=CANCEL_PAYMENT, subject_id=OuterRef("pk"), finished_at__gte=since)
    cancelled = Payment.objects.filter(state=PaymentState.CANCELLED.value, provider__in=expiring)
    return cancelled.filter(Exists(ended))


def _payments(name: str, is_due: bool, payments: QuerySet[Payment]) -> Group:
    return Group(
        name=f"payments:{name}",
        subject=Subject.PAYMENT,
        needs=Collects,
        rows=payments.exclude(provider_payment_id=None),
        columns=("provider", "provider_payment_id"),
        is_due=is_due,
    )


def _refunds(name: str, is_due: bool, refunds: QuerySet[Refund]) -> Group:
    return Group(
        name=f"refunds:{name}",
        subject=Subject.REFUND,
        needs=Refunds,
        rows=refunds.exclude(provider_refund_id=None).filter(payment__is_refundable=True),
        columns=("provider", "provider_refund_id"),
        is_due=is_due,
    )


def _payouts(name: str, is_due: bool, withdrawals: QuerySet[Withdrawal]) -> Group:
    return Group(
        name=f"payouts:{name}",
        subject=Subject.PAYOUT,
        needs=PaysOut,
        rows=withdrawals.exclude(provider_payout_id=None).exclude(account=None),
        columns=("provider", "provider_payout_id", "account__provider_account_id"),
        is_due=is_due,
    )


def _disbursements(name: str, is_due: bool, disbursements: QuerySet[Disbursement]) -> Group:
    return Group(
        name=f"disbursements:{name}",
        subject=Subject.PAYOUT,
        needs=Disburses,
        rows=disbursements.exclude(provider_payout_id=None),
        columns=("provider", "provider_payout_id"),
        is_due=is_due,
        at_once=DISBURSEMENTS_AT_ONCE,
    )


def _lost(name: str, is_due: bool, disbursements: QuerySet[Disbursement]) -> Group:
    return Group(
        name=f"disbursements:{name}",
        subject=Subject.PAYOUT,
        needs=Disburses,
        rows=disbursements,
        columns=("provider", "reference"),
        is_due=is_due,
        by_reference=True,
    )


def _undecided(name: str, is_due: bool, opened: Q) -> Group:
    return Group(
        name=f"chargebacks:{name}",
        subject=Subject.DISPUTE,
        needs=Disputes,
        rows=Chargeback.objects.filter(opened, closed_at=None),
        columns=("provider", "provider_dispute_id"),
        is_due=is_due,
    )
