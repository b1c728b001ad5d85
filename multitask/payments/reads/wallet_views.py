"""A person's money per currency, where each part of it is, and why it is not further."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from multitask import database
from multitask.money import Money
from multitask.payments.models import ConnectedAccount
from multitask.payments.operations import routes
from multitask.payments.provider import RouteKind
from multitask.payments.reads import pending_reasons, waiting_payouts, wallet, where
from multitask.payments.reads.allocation import Place
from multitask.payments.reads.wallet import Balances
from multitask.payments.reads.where import Reason, Where

_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WalletView:
    """One person's money in one currency; the amounts of `where` add up to all of it.

    `route` is how it is paid out, None for a currency that has no route any more.
    """

    held: Balances
    where: list[Where]
    route: RouteKind | None


def read(*, user_id: int, default_currency: str, now: datetime) -> list[WalletView]:
    """Return a person's money per currency and where it is, the default currency first. One statement.

    For money on a platform route that is available or leaves, all statements of one moment: a second one, one more
    for withdrawals, and two for each such currency that can be withdrawn.
    """
    known = wallet.read(user_id=user_id, default_currency=default_currency)
    kinds = {held.available.currency: _kind(held.available.currency) for held in known.balances}
    if any(_is_moving(held) and kinds[held.available.currency] is RouteKind.PLATFORM for held in known.balances):
        return _of_platform_wallet(user_id, default_currency, now)
    return _views(known, user_id, kinds, [], now)


def _kind(currency: str) -> RouteKind | None:
    route = routes.find(currency)
    return None if route is None else route.kind


def _is_moving(held: Balances) -> bool:
    return bool(held.available.amount_minor or held.withdrawing.amount_minor)


@database.snapshot
def _of_platform_wallet(user_id: int, default_currency: str, now: datetime) -> list[WalletView]:
    known = wallet.read(user_id=user_id, default_currency=default_currency)
    kinds = {held.available.currency: _kind(held.available.currency) for held in known.balances}
    return _views(known, user_id, kinds, _waiting_rows(user_id, known, now), now)


def _views(
    known: wallet.Wallet, user_id: int, kinds: dict[str, RouteKind | None], waiting: list[Where], now: datetime
) -> list[WalletView]:
    rows = [*_escrowed(known, now), *_pending_rows(known.pending, known.account, now), *waiting]
    views = []
    for held in known.balances:
        kind = kinds[held.available.currency]
        available = _in_wallet(user_id, held, kind, known.account, now)
        views.append(WalletView(held, _of_currency(held, rows, available), kind))
    return views


def _waiting_rows(user_id: int, known: wallet.Wallet, now: datetime) -> list[Where]:
    """Explain withdrawals that were not sent yet."""
    leaving = (held.withdrawing for held in known.balances)
    if not any(amount.amount_minor and waiting_payouts.is_on_platform(amount.currency) for amount in leaving):
        return []
    waiting = ((payout, waiting_payouts.of(payout, now)) for payout in waiting_payouts.open_payouts(user_id))
    return [
        Where(Place.WITHDRAWING, payout.amount, Reason(found.reason.value), found.until)
        for payout, found in waiting
        if found is not None
    ]


def _in_wallet(
    user_id: int, held: Balances, kind: RouteKind | None, account: ConnectedAccount | None, now: datetime
) -> Reason:
    """Return why available money of a currency is not withdrawn."""
    currency = held.available.currency
    if kind is not RouteKind.PLATFORM:
        return where.reason_of_available(account, currency)
    return where.reason_on_platform(user_id, currency, now) if held.available.amount_minor else Reason.NOT_WITHDRAWN


def _escrowed(known: wallet.Wallet, now: datetime) -> list[Where]:
    """Explain what escrows hold."""
    return [
        Where(Place.ESCROW, Money(row["amount_minor"], row["currency"]), *where.reason_in_escrow(row, now))
        for row in known.escrows
    ]


def _pending_rows(pending: list[dict[str, Any]], account: ConnectedAccount | None, now: datetime) -> list[Where]:
    """Explain what is pending or held."""
    found = []
    for row in pending:
        reason = Reason(pending_reasons.reason_of_row(row, account, now).value)
        place = Place.CONTESTED if row["part"] == "held" else Place.PENDING
        until = pending_reasons.until(reason, settles_at=row["available_at"], contests=row["contests"], now=now)
        found.append(Where(place, Money(row["share"], row["currency"]), reason, until))
    return found


def _of_currency(held: Balances, rows: Iterable[Where], available: Reason) -> list[Where]:
    """Return the rows of one currency, equal ones together, and what they leave unexplained.

    `available` is why available money is not withdrawn.
    """
    currency = held.available.currency
    found = [row for row in rows if row.amount.currency == currency]
    found += _rest(Place.ESCROW, held.escrowed, found)
    found += _rest(Place.PENDING, held.pending, found)
    found += _rest(Place.CONTESTED, held.contested, found)
    found.append(Where(Place.AVAILABLE, held.available, available))
    found += _rest(Place.WITHDRAWING, held.withdrawing, found, Reason.WITHDRAWAL_UNDER_WAY)
    return _together(found)


def _rest(place: Place, total: Money, rows: Sequence[Where], reason: Reason = Reason.OTHER) -> list[Where]:
    explained = sum((row.amount for row in rows if row.place is place), Money.zero(total.currency))
    return [Where(place, total - explained, reason)]


def _together(rows: Iterable[Where]) -> list[Where]:
    """Add up rows of the same place, reason and moment, in the order in which money passes through the places."""
    sums: dict[tuple[Place, Reason, datetime | None], Money] = {}
    for row in rows:
        key = (row.place, row.reason, row.until)
        sums[key] = sums.get(key, Money.zero(row.amount.currency)) + row.amount
    order = list(Place)
    found = [
        Where(place, amount, reason, until) for (place, reason, until), amount in sums.items() if amount.amount_minor
    ]

    def position(row: Where) -> tuple[int, Reason, bool, datetime]:
        return order.index(row.place), row.reason, row.until is None, row.until or _FIRST

    return sorted(found, key=position)
