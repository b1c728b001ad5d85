"""Records that payouts wait for the budget: once for finance, and once for each payee. The notices follow from it.

Only what has waited for a while counts: a budget that is topped up in time troubles nobody.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from multitask import database
from multitask.money import Money
from multitask.payments.books import audit
from multitask.payments.models import Disbursement, PayoutBudget
from multitask.payments.payouts import budget, budget_needs
from multitask.users.actor import Actor

NOTED_AFTER: Final = timedelta(minutes=10)
# How many withdrawals one run notes; the next run has the others.
MOST: Final = 500
_SYSTEM: Final = Actor.system("budget")


def due(*, now: datetime) -> list[tuple[str, str]]:
    """Return the provider and currency of each budget that is short, or was noted as short."""
    noted = PayoutBudget.objects.filter(short_since__isnull=False).values_list("provider", "currency")
    return sorted({*budget.waiting(now=now - NOTED_AFTER), *noted})


@database.transactional
def note(*, provider: str, currency: str, now: datetime) -> int:
    """Record that a budget is short, once until it covers everything; return how many withdrawals are newly noted."""
    locked = budget.lock(provider, currency)
    waiting = waiting_longer(provider, currency, now - NOTED_AFTER)
    if not waiting.exists():
        _set_short(locked, None)
        return 0
    if locked.short_since is None:
        _set_short(locked, now)
        details = {"provider": provider}
        audit.record("budget_short", actor=_SYSTEM, now=now, amount=missing(locked, now), details=details)
    return _note_withdrawals(waiting, now)


def waiting_longer(provider: str, currency: str, since: datetime) -> QuerySet[Disbursement]:
    """Select the payouts that a budget has not covered, and that could have left since then, oldest first."""
    open_ones = Disbursement.objects.filter(budget.may_be_paid(), provider=provider, currency=currency, ended_at=None)
    return open_ones.filter(allotted_at=None, usable_from__lte=since).order_by("pk")


def missing(short: PayoutBudget, by: datetime) -> Money:
    """Return by how much a budget has to be topped up for the payouts that may leave by then; zero if by nothing.

    It is above zero while a payout waits that the provider refused for a short budget, whatever the books hold.
    """
    waiting = waiting_longer(short.provider, short.currency, by)
    least = budget_needs.of_refused(waiting)
    return Money(max(least, budget_needs.of(waiting) - budget.free(short)), short.currency)


def _set_short(locked: PayoutBudget, since: datetime | None) -> None:
    if locked.short_since != since:
        locked.short_since = since
        locked.save(update_fields=["short_since"])


def _note_withdrawals(waiting: QuerySet[Disbursement], now: datetime) -> int:
    fresh = waiting.filter(wait_noted_at=None, withdrawal__isnull=False).select_related("withdrawal")
    noted = []
    for payout in fresh[:MOST]:
        withdrawal = payout.withdrawal
        assert withdrawal is not None  # noqa: S101
        audit.record(
            "withdrawal_waits",
            actor=_SYSTEM,
            now=now,
            withdrawal=withdrawal,
            user_id=withdrawal.user_id,
            amount=withdrawal.amount,
        )
        noted.append(payout.pk)
    Disbursement.objects.filter(pk__in=noted).update(wait_noted_at=now)
    return len(noted)
