"""Matches the lines of a statement with the postings of their source.

What a source moved at the provider is compared with what its postings moved in the ledger. Equal: its lines are
matched. Different while the outcome of its object is still to come: in flight. Different for any other reason: the
difference is posted to suspense and stands on the newest line of the source, which is open.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.books import line_sources, postings, statement, statement_postings
from multitask.payments.books.line_sources import Source
from multitask.payments.models import ProviderAccount, StatementLine
from multitask.payments.provider import LineKind
from multitask.payments.states import LineState, require

BATCH: Final = 200
UNMATCHED: Final = (LineState.NEW.value, LineState.IN_FLIGHT.value, LineState.OPEN.value)
# An open line's object is read again this often.
READ_AGAIN: Final = timedelta(hours=1)
# A posting for a line that a person has explained would come within this time.
EXPLAINED_LATELY: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of matching some sources: the newest line of each that has to be read first, and if any posted."""

    unread: list[StatementLine]
    posted: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one source, oldest first, with its object, if it is known, and what postings moved, by key.

    `currencies` are those of all these postings. A provider that converts reports lines in another currency.
    """

    lines: list[StatementLine]
    source: Source | None
    moved: Mapping[tuple[str, str], Money]
    currencies: frozenset[str]

    @property
    def is_undecided(self) -> bool:
        """Whether the outcome of the source's object is still to come."""
        return self.source is not None and self.source.is_undecided

    @property
    def is_fresh(self) -> bool:
        """Whether there is news about the source's object; a payout on its way is none."""
        return any(line.state == LineState.NEW.value and line.kind != LineKind.PAYOUT.value for line in self.lines)

    @property
    def is_open(self) -> bool:
        """Whether it is in suspense."""
        return any(line.state == LineState.OPEN.value for line in self.lines)

    def was_read_since(self, moment: datetime) -> bool:
        """Return whether the object was read at the provider since then."""
        return any(line.refreshed_at is not None and line.refreshed_at > moment for line in self.lines)

    def gaps(self) -> dict[str, int]:
        """Return what the lines moved that neither their object nor a kind or person explains, in minor units."""
        gaps = self._net()
        for line in self.lines:
            gaps[line.currency] -= line.settled_minor
        return self._less(gaps, self.source.keys if self.source else ())

    def unposted(self) -> dict[str, int]:
        """Return what the lines moved and no posting has, not even one to suspense, in minor units."""
        own = [key for line in self.lines for key in statement_postings.keys(line)]
        return self._less(self._net(), [*own, *(self.source.keys if self.source else ())])

    def _net(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for line in self.lines:
            sums[line.currency] = sums.get(line.currency, 0) + line.net.amount_minor
        return sums

    def _less(self, sums: dict[str, int], keys: Iterable[str]) -> dict[str, int]:
        for key in keys:
            for currency in self.currencies:
                posted = self.moved.get((key, currency))
                if posted is not None:
                    # The provider's account is an asset: what it received is a debit.
                    sums[currency] = sums.get(currency, 0) + posted.amount_minor
        return sums


def unmatched(account: ProviderAccount) -> Iterator[list[str]]:
    """Yield the sources of all lines that are not matched, and of those explained lately, in batches."""
    lines = StatementLine.objects.filter(account=account)
    yield from _batches(lines.filter(state__in=UNMATCHED))
    yield from _batches(lines.filter(state=LineState.EXPLAINED.value, matched_at__gt=Now() - EXPLAINED_LATELY))


def _batches(lines: QuerySet[StatementLine]) -> Iterator[list[str]]:
    last = 0
    while rows := list(lines.filter(pk__gt=last).order_by("pk").values_list("pk", "source")[:BATCH]):
        last = rows[-1][0]
        yield list(dict.fromkeys(source for _pk, source in rows))


@database.transactional
def match(*, account: ProviderAccount, sources: Sequence[str], read: Collection[str], now: datetime) -> Outcome:
    """Match some sources, of which those in `read` were just read from the provider.

    It may run twice and concurrently: the lines are locked, then the postings are read.
    """
    lines = list(statement.lines_of(account, sources).select_for_update(no_key=True))
    matcher = _Matcher(account, lines, now)
    found = groups(account, lines)
    unread = [group.lines[-1] for group in found if matcher.needs_reading(group, group.lines[0].source in read)]
    matcher.save()
    return Outcome(unread, matcher.posted)


def groups(account: ProviderAccount, lines: Collection[StatementLine], before: datetime | None = None) -> list[Group]:
    """Group lines by their source, with what was posted for each, or posted before a moment."""
    by_source: dict[str, list[StatementLine]] = {}
    for line in lines:
        by_source.setdefault(line.source, []).append(line)
    known = line_sources.look_up(account.provider, lines)
    own = [key for line in lines for key in statement_postings.keys(line)]
    keys = [key for source in known.values() for key in source.keys] + own
    code = statement_postings.account_of(account).code
    moved = ledger.moved(code, scope=postings.SCOPE, keys=keys, before=before)
    currencies = frozenset(currency for _key, currency in moved)
    return [
        Group(sorted(each, key=lambda line: (line.happened_at, line.pk)), known.get(source), moved, currencies)
        for source, each in by_source.items()
    ]


class _Matcher:
    """Applies the rules to groups and collects the lines to save."""

    def __init__(self, account: ProviderAccount, lines: Sequence[StatementLine], now: datetime) -> None:
        self._account = account
        self._now = now
        self._before = [(line, _stored(line)) for line in lines]
        self._other_side: set[int] = set()
        self._postings: list[ledger.Request] = []

    @property
    def posted(self) -> bool:
        """Whether anything was posted."""
        return bool(self._postings)

    def needs_reading(self, group: Group, was_read: bool) -> bool:
        """Apply the rules to one group; return whether its object has to be read from the provider first."""
        if was_read:
            for line in group.lines:
                line.refreshed_at = self._now
        self._settle(group)
        gaps = group.gaps()
        if not any(gaps.values()):
            if group.is_fresh and group.is_undecided and not was_read:
                return True
            self._match(group)
        elif group.is_undecided and (was_read or not group.is_fresh):
            self._apply(group, {}, LineState.IN_FLIGHT)
        elif was_read or (group.is_open and group.was_read_since(self._now - READ_AGAIN)):
            self._add_holders(group, gaps)
            self._apply(group, gaps, LineState.MATCHED)
        else:
            return True
        return False

    def _settle(self, group: Group) -> None:
        """Post lines of the platform's own money to the account of their kind."""
        for line in group.lines:
            target = statement_postings.own_account(self._account, line.kind)
            rest = line.net.amount_minor - line.settled_minor
            if target is not None and group.source is None and rest:
                amount = Money(rest, line.currency)
                self._postings.append(statement_postings.settle(self._account, line, target, amount, self._now))

    def _match(self, group: Group) -> None:
        if self._account.account_id is None and group.source is not None and group.source.account_id is not None:
            self._other_side.add(group.source.account_id)
        self._apply(group, {}, LineState.MATCHED)

    def _add_holders(self, group: Group, gaps: dict[str, int]) -> None:
        """Add a line of zero for each currency that was posted and of which the provider reports none: it converted."""
        reported = {line.currency for line in group.lines}
        newest = group.lines[-1]
        for currency in [currency for currency, gap in gaps.items() if gap and currency not in reported]:
            line = statement.store_converted(newest, currency, self._now)
            group.lines.append(line)
            self._before.append((line, _stored(line)))

    def _apply(self, group: Group, gaps: dict[str, int], state: LineState) -> None:
        """Put exactly `gaps` into suspense, each on the newest line that can hold it; the other lines get `state`."""
        holders = _holders(group, gaps)
        for line in group.lines:
            wanted = gaps[line.currency] if line is holders.get(line.currency) else 0
            if wanted != line.suspense_minor:
                change = Money(wanted - line.suspense_minor, line.currency)
                self._postings.append(statement_postings.suspend(self._account, line, change, self._now))
            self._become(line, LineState.OPEN if wanted else state)

    def _become(self, line: StatementLine, state: LineState) -> None:
        if line.state == state.value or (line.state == LineState.EXPLAINED.value and state is not LineState.OPEN):
            return
        require(LineState(line.state), state)
        line.state = state.value
        line.opened_at = self._now if state is LineState.OPEN else line.opened_at

    def save(self) -> None:
        """Post and save what changed, with the database's time of each match; have the other side of transfers read."""
        for first in range(0, len(self._postings), _POSTINGS_AT_ONCE):
            ledger.post_many(self._postings[first : first + _POSTINGS_AT_ONCE])
        changed = [(line, before) for line, before in self._before if _stored(line) != before]
        matched = [line for line, before in changed if line.state == LineState.MATCHED.value != before[0]]
        for line, before in changed:
            if _stored(line)[1:] != before[1:] or line not in matched:
                line.save(update_fields=_STORED)
        StatementLine.objects.filter(pk__in=[line.pk for line in matched]).update(
            state=LineState.MATCHED.value, matched_at=Now()
        )
        if self._other_side:
            statement.expect_soon(Q(account_id__in=self._other_side), self._now)


_POSTINGS_AT_ONCE: Final = 500
_STORED: Final = ("state", "opened_at", "refreshed_at", "suspense_minor", "settled_minor", "postings")


def _stored(line: StatementLine) -> tuple[Any, ...]:
    return tuple(getattr(line, name) for name in _STORED)


def _holders(group: Group, gaps: dict[str, int]) -> dict[str, StatementLine]:
    """Return the line of each currency that holds the difference: the newest that nobody has explained."""
    holders: dict[str, StatementLine] = {}
    for line in group.lines:
        holder = holders.get(line.currency)
        if gaps.get(line.currency) and (holder is None or line.state != LineState.EXPLAINED.value):
            holders[line.currency] = line
    return holders
