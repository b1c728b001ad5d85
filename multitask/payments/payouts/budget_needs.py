"""What payouts are going to take out of a budget, with the fee and tax that they are expected to cost.

The provider publishes no prices. What a payout is expected to cost is what the latest ones of its kind cost, and at
least what the settings reserve; while neither is known, an assumption on the safe side. Only how much is asked of
finance depends on it: payouts are allotted by what the settings reserve, so that a guess keeps nobody waiting.
"""

from collections.abc import Sequence
from typing import Final

from django.db.models import Count, QuerySet

from multitask.payments.models import Disbursement, Operation
from multitask.payments.payouts import budget
from multitask.payments.states import OPEN_OPERATIONS

# From so many of the latest payouts the costs are taken.
LATEST: Final = 200
# What a payout is assumed to cost while nothing is known: a fixed amount in minor units, and a share of its amount.
ASSUMED_MINOR: Final = 500
ASSUMED_BASIS_POINTS: Final = 200
_WHOLE: Final = 10_000

# The amount of an earlier payout and what it cost, in minor units.
Seen = tuple[int, int]


def of(payouts: QuerySet[Disbursement]) -> int:
    """Return what payouts are expected to take out of their budget, in minor units. At most three statements."""
    groups = payouts.order_by().values_list("provider", "currency", "destination__kind", "amount_minor")
    total = 0
    seen: dict[tuple[str, str], dict[str, list[Seen]]] = {}
    for provider, currency, kind, amount, number in groups.annotate(number=Count("pk")):
        if (provider, currency) not in seen:
            seen[provider, currency] = _seen(provider, currency)
        total += number * (amount + expected_costs(amount, seen[provider, currency].get(kind, [])))
    return total


def expected_costs(amount_minor: int, seen: Sequence[Seen]) -> int:
    """Return what a payout is expected to cost at most, by what others of its kind cost.

    Costs are a fixed part and a share of the amount. So a payout costs at most what a larger one did, and compared with
    a smaller one at most as many times as much as its amount is larger. Of these bounds the lowest holds.
    """
    reserved = budget.costs_of(amount_minor)
    if seen:
        return max(reserved, min(_at_most(amount_minor, *one) for one in seen))
    return reserved or assumed_costs(amount_minor)


def assumed_costs(amount_minor: int) -> int:
    """Return what a payout is assumed to cost while nothing is known."""
    return ASSUMED_MINOR + -(-amount_minor * ASSUMED_BASIS_POINTS // _WHOLE)


def of_refused(waiting: QuerySet[Disbursement]) -> int:
    """Return what is missing at least: zero, or the costs assumed of the first payout that was refused and still waits.

    It was covered by the books. So its costs are higher than expected, or the provider has less than the books.
    """
    refused = Operation.objects.filter(
        kind__in=[budget.DISBURSE, budget.DISBURSE_REFUND],
        subject_id__in=waiting.order_by().values("pk"),
        state__in=[state.value for state in OPEN_OPERATIONS],
        last_error_code=budget.BUDGET_SHORT,
    )
    first = waiting.filter(pk__in=refused.values("subject_id")).order_by("pk").values_list("amount_minor", flat=True)
    amount = first.first()
    return 0 if amount is None else assumed_costs(amount)


def _at_most(amount_minor: int, seen_minor: int, costs_minor: int) -> int:
    return costs_minor if amount_minor <= seen_minor else -(-costs_minor * amount_minor // seen_minor)


def _seen(provider: str, currency: str) -> dict[str, list[Seen]]:
    """Return amounts and costs of the latest payouts by the kind of their destination."""
    known = Disbursement.objects.filter(provider=provider, currency=currency, fee_minor__isnull=False)
    rows = known.order_by("-pk").values_list("destination__kind", "amount_minor", "fee_minor", "tax_minor")[:LATEST]
    found: dict[str, list[Seen]] = {}
    for kind, amount, fee, tax in rows:
        found.setdefault(kind, []).append((amount, (fee or 0) + (tax or 0)))
    return found
