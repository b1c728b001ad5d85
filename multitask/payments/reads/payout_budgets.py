"""The payout budgets as finance sees them: where the money is, what waits, and how much is needed by when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Exists, Min, OuterRef, QuerySet

from multitask import database, ledger
from multitask.ledger import AccountRef
from multitask.money import Money
from multitask.payments.books import budget_postings, postings
from multitask.payments.models import BudgetRecord, Disbursement, PayoutBudget
from multitask.payments.payouts import budget, budget_needs, budget_shortage

# Cool-downs that end within this time count as needed soon.
SOON: Final = timedelta(hours=72)
# The most waiting payouts that are listed; the sums cover all.
MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """One budget. `collected`, `in_bank` and `in_budget` are by our books, `reported` by the provider.

    `needed_now` is by how much it has to be topped up for the payouts that may leave now, `needed_soon` also for those
    whose cool-down ends within `SOON`.
    """

    budget: PayoutBudget
    collected: Money
    in_bank: Money
    in_budget: Money
    reported: Money | None
    difference: Money | None
    reserved: Money
    free: Money
    waiting: list[Disbursement]
    waiting_number: int
    waiting_sum: Money
    cooling_number: int
    cooling_sum: Money
    needed_now: Money
    needed_soon: Money


@database.snapshot
def view(found: PayoutBudget, now: datetime) -> BudgetView:
    """Return everything about a budget. A bounded number of statements."""
    provider, currency = found.provider, found.currency
    waiting = budget_shortage.waiting_longer(provider, currency, now)
    cooling = budget_shortage.waiting_longer(provider, currency, now + SOON).filter(usable_from__gt=now)
    listed = waiting.select_related("withdrawal__user", "refund", "destination__user")
    return BudgetView(
        budget=found,
        collected=_held(postings.provider_account(provider), currency),
        in_bank=_held(budget_postings.bank_account(provider), currency),
        in_budget=budget.held(provider, currency),
        reported=None if found.reported_minor is None else Money(found.reported_minor, currency),
        difference=difference(found),
        reserved=Money(budget.reserved(found), currency),
        free=Money(budget.free(found), currency),
        waiting=list(listed[:MOST]),
        waiting_number=waiting.count(),
        waiting_sum=Money(budget_needs.of(waiting), currency),
        cooling_number=cooling.count(),
        cooling_sum=Money(budget_needs.of(cooling), currency),
        needed_now=budget_shortage.missing(found, now),
        needed_soon=budget_shortage.missing(found, now + SOON),
    )


def difference(found: PayoutBudget) -> Money | None:
    """Return what the provider reported less what the books held then; None while it was never compared."""
    if found.reported_minor is None or found.expected_minor is None:
        return None
    return Money(found.reported_minor - found.expected_minor, found.currency)


def left_at_source(record: BudgetRecord) -> Money:
    """Return what the books hold where a record has taken its money from; below zero if that was more than there was.

    One statement.
    """
    return _held(budget_postings.source(record), record.currency)


def short(now: datetime) -> QuerySet[PayoutBudget]:
    """Select the budgets for which payouts have waited for a while."""
    waiting = Disbursement.objects.filter(
        budget.may_be_paid(),
        provider=OuterRef("provider"),
        currency=OuterRef("currency"),
        ended_at=None,
        allotted_at=None,
        usable_from__lte=now - budget_shortage.NOTED_AFTER,
    )
    return PayoutBudget.objects.filter(Exists(waiting))


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFigures:
    """The figures of the alerts about one budget. Ages are in seconds and zero when there is nothing.

    `compared_seconds` is None while it was never compared.
    """

    provider: str
    free: Money
    missing: Money
    difference: Money | None
    difference_seconds: float
    compared_seconds: float | None
    waiting: int
    waiting_seconds: float


def figures(now: datetime) -> list[BudgetFigures]:
    """Return the figures of every budget."""
    return [_figures(found, now) for found in PayoutBudget.objects.order_by("provider", "currency")]


def _figures(found: PayoutBudget, now: datetime) -> BudgetFigures:
    waiting = budget_shortage.waiting_longer(found.provider, found.currency, now)
    seen = waiting.order_by().aggregate(number=Count("pk"), oldest=Min("usable_from"))
    return BudgetFigures(
        provider=found.provider,
        free=Money(budget.free(found), found.currency),
        missing=budget_shortage.missing(found, now),
        difference=difference(found),
        difference_seconds=_age(now, found.differs_since) or 0.0,
        compared_seconds=_age(now, found.reported_at),
        waiting=seen["number"],
        waiting_seconds=_age(now, seen["oldest"]) or 0.0,
    )


def _age(now: datetime, since: datetime | None) -> float | None:
    return None if since is None else max(0.0, (now - since).total_seconds())


def _held(account: AccountRef, currency: str) -> Money:
    return -ledger.balance(account.code, currency)
