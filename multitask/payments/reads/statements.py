"""Statements for a period, drawn from the books: opening balance + entries = closing balance.

A freelancer's statement is about the wallet (pending, available and on the way to the bank together), a
client's about the money held in escrow for them. A statement with too many lines has sums instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, islice, pairwise
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Greatest

from multitask import ledger
from multitask.ledger.models import Transaction
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.errors import PaymentError
from multitask.payments.models import Escrow
from multitask.payments.reads import trends
from multitask.payments.states import CLOSED_ESCROWS

MOST_ENTRIES: Final = 200
MOST_ESCROWS: Final = 300
_CHUNK: Final = 500
# Timestamps of escrows come from the application's clock, those of entries from the database's.
_SLACK: Final = timedelta(days=1)


class PeriodTooLong(PaymentError):
    """The period has more escrows than one statement can add up."""

    code = "period_too_long"
    message = "There is too much in this period for one statement. Choose a shorter one."


class About(StrEnum):
    """Whether a statement is a freelancer's (`wallet`) or a client's (`escrow`)."""

    WALLET = "wallet"
    ESCROW = "escrow"


@dataclass(frozen=True, slots=True)
class Place:
    """One group of ledger accounts in the statement, with its balances."""

    name: str
    opening: Money
    closing: Money


@dataclass(frozen=True, slots=True)
class Line:
    """One transaction's effect, and the balance after it. `escrow_id` is None if it belongs to no escrow."""

    at: datetime
    kind: str
    change: Money
    balance: Money
    escrow_id: int | None


@dataclass(frozen=True, slots=True)
class Sum:
    """One part of the period: the number of entries, their sum, and the balance at its end."""

    start: datetime
    entries: int
    change: Money
    balance: Money


@dataclass(slots=True)
class Statement:
    """A statement with `lines`, or `sums` if there are too many entries; changes add up to closing - opening."""

    about: About
    currency: str
    opening: Money
    closing: Money
    entries: int
    places: list[Place]
    is_final: bool
    lines: list[Line] = field(default_factory=list)
    sums: list[Sum] = field(default_factory=list)
    titles: dict[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def change(self) -> Money:
        """The closing balance minus the opening balance."""
        return self.closing - self.opening


def draw(*, user_id: int, about: About, currency: str, moments: Sequence[datetime]) -> Statement:
    """Return the statement from the first moment to the last; the moments between them delimit the sums.

    Five queries, six for escrows. Raises PeriodTooLong.
    """
    places = _places(user_id, about, currency, moments[0], moments[-1])
    codes = [code for each in places.values() for code in each]
    is_final = moments[-1] <= ledger.closed_until()
    ends = ledger.readings(codes, currency, [moments[0], moments[-1]])
    drawn = _framed(about, currency, places, ends, is_final)
    if drawn.entries > MOST_ENTRIES:
        drawn.sums = _summed(codes, currency, moments)
    else:
        drawn.lines = _lines(codes, currency, moments, drawn.opening)
        drawn.titles = titles(drawn.lines)
    return drawn


def every_line(*, user_id: int, about: About, currency: str, start: datetime, end: datetime) -> Iterator[Line]:
    """Yield every line of a period, oldest first. Raises PeriodTooLong."""
    places = _places(user_id, about, currency, start, end)
    return _every_line([code for each in places.values() for code in each], currency, start, end)


def _every_line(codes: list[str], currency: str, start: datetime, end: datetime) -> Iterator[Line]:
    found = ledger.readings(codes, currency, [start])
    balance = sum((each[0].balance for each in found.values()), Money.zero(currency))
    entries = ledger.all_entries_between(codes, currency, start, end)
    transactions = (list(group) for _id, group in groupby(entries, key=lambda entry: entry.transaction_id))
    while chunk := list(islice(transactions, _CHUNK)):
        for line in _running(chunk, balance):
            balance = line.balance
            yield line


def _places(user_id: int, about: About, currency: str, start: datetime, end: datetime) -> dict[str, list[str]]:
    """Return the account codes of a statement by the name of their group."""
    if about is About.WALLET:
        return {name: [code] for name, code in trends.wallet_codes(user_id).items()}
    return {"escrow": [postings.escrow_account(pk).code for pk in _escrows(user_id, currency, start, end)]}


def _escrows(user_id: int, currency: str, start: datetime, end: datetime) -> list[int]:
    """Return the client's escrows that may have held money in the period; all others have zero balances."""
    closed = Q(state__in=[state.value for state in CLOSED_ESCROWS])
    theirs = Escrow.objects.filter(
        client_id=user_id, currency=currency, funded_at__isnull=False, created_at__lt=end + _SLACK
    ).alias(closed_at=Greatest("released_at", "refunded_at", "cancelled_at"))
    relevant = theirs.filter(~closed | Q(closed_at__gte=start - _SLACK))
    found = list(relevant.order_by("-pk").values_list("pk", flat=True)[: MOST_ESCROWS + 1])
    if len(found) > MOST_ESCROWS:
        raise PeriodTooLong
    return found


def _framed(
    about: About,
    currency: str,
    places: dict[str, list[str]],
    ends: dict[str, list[ledger.Reading]],
    is_final: bool,
) -> Statement:
    zero = Money.zero(currency)
    found = [
        Place(name, *(sum((ends[code][end].balance for code in codes), zero) for end in (0, 1)))
        for name, codes in places.items()
    ]
    return Statement(
        about=about,
        currency=currency,
        opening=sum((place.opening for place in found), zero),
        closing=sum((place.closing for place in found), zero),
        entries=sum(closing.entries - opening.entries for opening, closing in ends.values()),
        places=found,
        is_final=is_final,
    )


def _summed(codes: list[str], currency: str, moments: Sequence[datetime]) -> list[Sum]:
    at_once = list(zip(*ledger.readings(codes, currency, moments).values(), strict=True))
    zero = Money.zero(currency)
    held = [(sum(r.entries for r in each), sum((r.balance for r in each), zero)) for each in at_once]
    return [
        Sum(start, after[0] - before[0], after[1] - before[1], after[1])
        for start, (before, after) in zip(moments, pairwise(held), strict=False)
        if after[0] > before[0]
    ]


def _lines(codes: list[str], currency: str, moments: Sequence[datetime], opening: Money) -> list[Line]:
    entries = ledger.entries_between(codes, currency, moments[0], moments[-1], limit=MOST_ENTRIES)
    grouped: dict[UUID, list[ledger.Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.transaction_id, []).append(entry)
    return list(_running(list(grouped.values()), opening))


def _running(transactions: list[list[ledger.Entry]], balance: Money) -> Iterator[Line]:
    """Yield the lines of the given transactions, with the balance after each. One query."""
    headers = Transaction.objects.filter(pk__in=[entries[0].transaction_id for entries in transactions])
    keys: dict[UUID, str] = dict(headers.values_list("pk", "key"))
    for entries in transactions:
        line = _line(entries, balance, keys)
        if line is not None:
            balance = line.balance
            yield line


def _line(entries: Sequence[ledger.Entry], balance: Money, keys: dict[UUID, str]) -> Line | None:
    """Return the line of a transaction; None if it only moved money between the statement's own accounts."""
    change = sum((entry.amount for entry in entries), Money.zero(balance.currency))
    if not change.amount_minor:
        return None
    first = entries[0]
    escrow_id = _escrow_id(first.account) or _escrow_id(keys.get(first.transaction_id, ""))
    return Line(first.recorded_at, first.kind, change, balance + change, escrow_id)


def _escrow_id(name: str) -> int | None:
    """Return the escrow id in an account code or a transaction key, or None."""
    subject, number, *_rest = [*name.split(":"), ""]
    return int(number) if subject == "escrow" and number.isdecimal() else None


def titles(lines: Sequence[Line]) -> dict[int, tuple[str, str]]:
    """Return link and title of the task of each escrow in the lines, by escrow id."""
    wanted = {line.escrow_id for line in lines if line.escrow_id is not None}
    found = (
        Escrow.objects.filter(pk__in=wanted).values_list("pk", "agreement__link", "agreement__title") if wanted else []
    )
    return {pk: (link, title) for pk, link, title in found}
