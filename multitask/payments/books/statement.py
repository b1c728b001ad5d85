"""The provider's statement: which accounts are read and when, and their lines, stored once."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Min, Q, QuerySet

from multitask import database
from multitask.database.clocks import AHEAD
from multitask.money import Money
from multitask.payments.models import ConnectedAccount, Operation, ProviderAccount, Reconciliation, StatementLine
from multitask.payments.provider import LineKind, StatementEntry, Subject
from multitask.payments.states import LineState

# The platform's account is read this often, a connected one once a day; those that changed after this pause.
PLATFORM_EVERY: Final = timedelta(minutes=1)
ACCOUNTS_EVERY: Final = timedelta(hours=18)
SPREAD: Final = timedelta(hours=6)
SOON: Final = timedelta(seconds=5)
AGAIN: Final = timedelta(minutes=1)
# A read that has not ended by then was lost with its worker.
CLAIM: Final = timedelta(minutes=10)
# How many rows are added at once; the others are added by the next run.
NEW_ACCOUNTS: Final = 1_000
# How far the provider's clock and ours may differ.
CLOCKS_APART: Final = timedelta(days=3)


def add_accounts(providers: Sequence[str], now: datetime) -> None:
    """Create the rows of accounts that have none yet: the platform's at each provider, and each connected account."""
    missing = [ProviderAccount(provider=name, due_at=now) for name in _unknown(providers)]
    made = _without_row(providers).only("provider").order_by("pk")[:NEW_ACCOUNTS]
    missing += [ProviderAccount(provider=row.provider, account=row, due_at=now) for row in made]
    ProviderAccount.objects.bulk_create(missing, ignore_conflicts=True)


def are_due(providers: Sequence[str], now: datetime) -> bool:
    """Return whether a statement is due, or an account of these providers has no row yet."""
    return due(now).exists() or bool(_unknown(providers)) or _without_row(providers).exists()


def _unknown(providers: Sequence[str]) -> set[str]:
    known = ProviderAccount.objects.filter(account=None).values_list("provider", flat=True)
    return set(providers) - set(known)


def _without_row(providers: Sequence[str]) -> QuerySet[ConnectedAccount]:
    return ConnectedAccount.objects.filter(provider__in=providers, statement=None).exclude(provider_account_id=None)


def due(now: datetime) -> QuerySet[ProviderAccount]:
    """Select the accounts whose statement is due."""
    return ProviderAccount.objects.filter(_is_due(now))


def _is_due(now: datetime) -> Q:
    """Return the condition of accounts that are due, or whose next read lies further ahead than it is ever planned."""
    too_late = Q(account=None, due_at__gt=now + CLAIM + AHEAD) | Q(due_at__gt=now + ACCOUNTS_EVERY + SPREAD + AHEAD)
    return Q(due_at__lte=now) | too_late


@database.transactional
def begin(account_id: int, *, is_repeated: bool, now: datetime) -> bool:
    """Claim an account for one read, until `CLAIM`; return False if it is not due, since it was read or claimed.

    A read that is repeated, because its worker died, has claimed the account before.
    """
    wanted = ProviderAccount.objects.filter(pk=account_id)
    return bool((wanted if is_repeated else wanted.filter(_is_due(now))).update(due_at=now + CLAIM))


def due_or_different(now: datetime) -> list[int]:
    """Return the platform's accounts, and of the connected ones those that are due or differ."""
    wanted = Q(account=None) | _is_due(now) | Q(reconciliations__differs_since__isnull=False)
    return list(ProviderAccount.objects.filter(wanted).order_by("pk").values_list("pk", flat=True).distinct())


def expect_soon(accounts: Q, now: datetime) -> None:
    """Let the statements of these accounts be read soon, since something happened to them."""
    ProviderAccount.objects.filter(accounts, due_at__gt=now + SOON).update(due_at=now + SOON)


def of_provider_id(provider: str, provider_account_id: str) -> Q:
    """Return the condition for the account with this id at the provider."""
    return Q(provider=provider, account__provider_account_id=provider_account_id)


def finish(account: ProviderAccount, *, is_done: bool, now: datetime) -> None:
    """Set when the account is read next, unless somebody has asked for it since it was loaded."""
    if not is_done:
        wait = AGAIN
    elif account.account_id is None:
        wait = PLATFORM_EVERY
    else:
        # Accounts that were added together are not read together for ever.
        wait = ACCOUNTS_EVERY + SPREAD * (account.pk * 997 % 1000) / 1000
    ProviderAccount.objects.filter(pk=account.pk, due_at=account.due_at).update(due_at=now + wait)


def forget_cursor(account: ProviderAccount) -> bool:
    """Let the statement be read without its cursor next time; return False if it had none."""
    return bool(ProviderAccount.objects.filter(pk=account.pk).exclude(cursor="").update(cursor=""))


def has_new(account: ProviderAccount) -> bool:
    """Return whether lines wait for their object to be known here."""
    return StatementLine.objects.filter(account=account, state=LineState.NEW.value).exists()


def begin_anew(account: ProviderAccount, now: datetime) -> datetime:
    """Return the moment from which on the statement is read without a cursor.

    It is kept until such a reading has come to its end, since one that was broken off has stored the newest lines
    only.
    """
    if account.reading_since is None:
        account.reading_since = _begins_at(account, now)
        ProviderAccount.objects.filter(pk=account.pk).update(reading_since=account.reading_since)
    return account.reading_since


def end_anew(account: ProviderAccount) -> None:
    """Record that a reading without a cursor has come to its end."""
    account.reading_since = None
    ProviderAccount.objects.filter(pk=account.pk).update(reading_since=None)


def _begins_at(account: ProviderAccount, now: datetime) -> datetime:
    """Return the moment from which on the statement is read without a cursor.

    That is well before the newest line that is stored, but never before the start: what is older is part of the
    opening balance.
    """
    start = _start(account, now)
    newest = StatementLine.objects.filter(account=account).order_by("-pk").values_list("happened_at", flat=True).first()
    return start if account.read_at is None or newest is None else max(start, newest - CLOCKS_APART)


def _start(account: ProviderAccount, now: datetime) -> datetime:
    """Return the moment of the first lines that are stored, set once: before anything of ours can have happened."""
    if account.starts_at is None:
        start = _first_of_ours(account, now) - CLOCKS_APART
        ProviderAccount.objects.filter(pk=account.pk, starts_at=None).update(starts_at=start)
        account.refresh_from_db(fields=["starts_at"])
    assert account.starts_at is not None  # noqa: S101
    return account.starts_at


def _first_of_ours(account: ProviderAccount, now: datetime) -> datetime:
    if account.account is not None:
        return account.account.created_at
    first: datetime | None = Operation.objects.filter(provider=account.provider).aggregate(at=Min("created_at"))["at"]
    return first or now


@database.transactional
def store(
    *, account: ProviderAccount, entries: Sequence[StatementEntry], cursor: str, now: datetime
) -> list[StatementEntry]:
    """Store the lines that are not stored yet, and the cursor; return the new ones, in the order given."""
    # One page at a time per account, so that the sums count each line once.
    ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
    lines = StatementLine.objects.filter(account=account)
    known = set(
        lines.filter(provider_line_id__in=[entry.id for entry in entries]).values_list("provider_line_id", flat=True)
    )
    fresh = [entry for entry in entries if entry.id not in known]
    StatementLine.objects.bulk_create([_line(account, entry, now) for entry in fresh])
    for currency in sorted({entry.amount.currency for entry in fresh}):
        moved = sum(_net(entry) for entry in fresh if entry.amount.currency == currency)
        Reconciliation.objects.get_or_create(account=account, currency=currency)
        Reconciliation.objects.filter(account=account, currency=currency).update(stated_minor=F("stated_minor") + moved)
    if cursor and cursor != account.cursor:
        ProviderAccount.objects.filter(pk=account.pk).update(cursor=cursor)
        account.cursor = cursor
    return fresh


def _net(entry: StatementEntry) -> int:
    return entry.amount.amount_minor - entry.fee.amount_minor


def _line(account: ProviderAccount, entry: StatementEntry, now: datetime) -> StatementLine:
    return StatementLine(
        account=account,
        provider_line_id=entry.id,
        kind=entry.kind.value,
        # A line that no object caused stands for itself.
        source=entry.source_id or entry.id,
        subject=entry.subject.value,
        object_id=entry.object_id,
        currency=entry.amount.currency,
        amount_minor=entry.amount.amount_minor,
        fee_minor=entry.fee.amount_minor,
        description=entry.description,
        happened_at=entry.created_at,
        available_at=entry.available_at,
        stored_at=now,
    )


def sums(account: ProviderAccount) -> dict[str, int]:
    """Return the sum of all stored lines of an account in minor units, by currency."""
    return dict(Reconciliation.objects.filter(account=account).values_list("currency", "stated_minor"))


def open_account(account: ProviderAccount, opening: Mapping[str, int], now: datetime) -> None:
    """Record that the whole statement was read once, and what the account held before its first line.

    That amount becomes a line as well, which finance staff explains.
    """
    entries = [_opening(account, Money(minor, currency), now) for currency, minor in opening.items() if minor]
    store(account=account, entries=entries, cursor="", now=now)
    ProviderAccount.objects.filter(pk=account.pk).update(read_at=now)
    account.read_at = now


def _opening(account: ProviderAccount, amount: Money, now: datetime) -> StatementEntry:
    return StatementEntry(
        id=f"opening:{amount.currency}",
        kind=LineKind.OPENING,
        source_id="",
        subject=Subject.NOTHING,
        object_id="",
        amount=amount,
        fee=Money.zero(amount.currency),
        created_at=_start(account, now),
        description="Balance before the first line",
    )


def store_unreported(
    account: ProviderAccount, *, kind: LineKind, source: str, amount: Money, description: str, now: datetime
) -> StatementLine:
    """Store the line that the provider does not report of a closed account, as finance decided; return it.

    A repeated call returns the line that is stored.
    """
    entry = StatementEntry(
        id=f"unreported:{kind.value}:{source}",
        kind=kind,
        source_id=source,
        subject=Subject.NOTHING,
        object_id="",
        amount=amount,
        fee=Money.zero(amount.currency),
        created_at=now,
        description=description,
    )
    store(account=account, entries=[entry], cursor="", now=now)
    return StatementLine.objects.get(account=account, provider_line_id=entry.id)


def store_converted(line: StatementLine, currency: str, now: datetime) -> StatementLine:
    """Store a line of zero beside one that the provider has converted from this currency; return it.

    It holds what was posted in the currency and did not arrive in it. A repeated call returns the line that is stored.
    """
    entry = StatementEntry(
        id=f"converted:{currency}:{line.source}",
        kind=LineKind(line.kind),
        source_id=line.source,
        subject=Subject(line.subject),
        object_id=line.object_id,
        amount=Money.zero(currency),
        fee=Money.zero(currency),
        created_at=line.happened_at,
        description="Converted to another currency by the provider",
    )
    store(account=line.account, entries=[entry], cursor="", now=now)
    return StatementLine.objects.get(account_id=line.account_id, provider_line_id=entry.id)


def lines_of(account: ProviderAccount, sources: Sequence[str]) -> QuerySet[StatementLine]:
    """Select all lines of some sources of an account, in a fixed order."""
    return StatementLine.objects.filter(account=account, source__in=sources).order_by("pk")
