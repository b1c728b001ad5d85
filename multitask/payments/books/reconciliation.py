"""Compares the ledger's account for each account at a provider with what the provider holds, to the minor unit.

It is exact while money moves. Ours is read as of a moment that the ledger had closed before the statement was read, so
every posting in it has its line among those stored. Theirs is the sum of all lines, which were found to add up to the
provider's balance. What lines have moved and no posting had before that moment is in flight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.db.models import QuerySet, Sum

from multitask import database, ledger
from multitask.payments.books import matching, statement, statement_postings
from multitask.payments.models import ProviderAccount, Reconciliation, StatementLine
from multitask.payments.states import LineState

BATCH: Final = 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One account in one currency, in minor units: `ours` and `in_flight` should add up to `theirs`."""

    currency: str
    theirs: int
    ours: int
    in_flight: int
    suspense: int

    @property
    def difference(self) -> int:
        """What is left of theirs."""
        return self.theirs - self.ours - self.in_flight


def compare(
    *, account: ProviderAccount, closed: datetime, unstated: Mapping[str, int], now: datetime
) -> list[Comparison]:
    """Compare one account and record the result.

    `closed` is from `ledger.closed_until()`, read before the statement was. `unstated` is what the provider holds
    beyond the sum of all lines, in minor units by currency.
    """
    found = _compared(account, closed, unstated)
    for each in found:
        _record(account, each, now)
    return found


@database.snapshot
def _compared(account: ProviderAccount, closed: datetime, unstated: Mapping[str, int]) -> list[Comparison]:
    code = statement_postings.account_of(account).code
    stated = statement.sums(account)
    in_flight = _in_flight(account, closed)
    suspense = _suspense(account)
    return [
        Comparison(
            currency=currency,
            theirs=stated.get(currency, 0) + unstated.get(currency, 0),
            ours=-ledger.balance_as_of(code, currency, closed).amount_minor,
            in_flight=in_flight.get(currency, 0),
            suspense=suspense.get(currency, 0),
        )
        for currency in sorted({*stated, *unstated, *ledger.currencies(code)})
    ]


def _in_flight(account: ProviderAccount, closed: datetime) -> dict[str, int]:
    """Return what lines moved and no posting had before that moment, by currency.

    That can be so only for lines that are not matched, and for those that were matched since.
    """
    lines = StatementLine.objects.filter(account=account).values_list("source", flat=True)
    sources = list(lines.filter(state__in=matching.UNMATCHED).union(lines.filter(matched_at__gte=closed)))
    sums: dict[str, int] = {}
    for first in range(0, len(sources), BATCH):
        rows = list(statement.lines_of(account, sources[first : first + BATCH]))
        for group in matching.groups(account, rows, before=closed):
            for currency, minor in group.unposted().items():
                sums[currency] = sums.get(currency, 0) + minor
    return sums


def _suspense(account: ProviderAccount) -> dict[str, int]:
    held = StatementLine.objects.filter(account=account, state=LineState.OPEN.value)
    return dict(held.values("currency").annotate(sum=Sum("suspense_minor")).values_list("currency", "sum"))


def _record(account: ProviderAccount, found: Comparison, now: datetime) -> None:
    row, _created = Reconciliation.objects.get_or_create(account=account, currency=found.currency)
    was_different = row.differs_since is not None
    row.theirs_minor, row.ours_minor = found.theirs, found.ours
    row.in_flight_minor, row.suspense_minor = found.in_flight, found.suspense
    row.difference_minor, row.compared_at = found.difference, now
    if found.difference:
        row.differs_since = row.differs_since or now
        log.critical("provider_differs", account=str(account), currency=found.currency, minor=found.difference)
    else:
        row.equal_at, row.differs_since = now, None
        if was_different:
            log.warning("provider_equal_again", account=str(account), currency=found.currency)
    row.save(update_fields=_COMPARED)


_COMPARED: Final = (
    "theirs_minor",
    "ours_minor",
    "in_flight_minor",
    "suspense_minor",
    "difference_minor",
    "compared_at",
    "equal_at",
    "differs_since",
)


def different() -> QuerySet[Reconciliation]:
    """Select the accounts whose last comparison left a difference."""
    return Reconciliation.objects.filter(differs_since__isnull=False)
