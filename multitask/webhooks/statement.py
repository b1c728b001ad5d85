"""Reads the provider's statement of one account, applies what it tells as a webhook would, and compares the balances.

Everything is read outside transactions and stored page by page, so it may be broken off anywhere and run again, also
twice at once.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import Error
from django.db.models import BooleanField, CharField, ExpressionWrapper, Q, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from multitask import database, ledger, providers
from multitask.database import jobs
from multitask.payments.books import matching, reconciliation, statement
from multitask.payments.errors import UnknownObject
from multitask.payments.models import ProviderAccount, StatementLine
from multitask.payments.provider import (
    ProviderError,
    Rejected,
    ReportsMoney,
    StatementEntry,
    Subject,
    Unavailable,
    supporting,
    supports,
)
from multitask.webhooks import dispatch
from multitask.webhooks.incoming import UNKNOWN_FOR_AT_MOST
from multitask.webhooks.models import IncomingEvent

log = structlog.get_logger(__name__)

# Jobs are named, not imported: `multitask.jobs` imports this module.
TASK: Final = "read_statement"
QUEUE: Final = "statements"
# What the queueing lock of an account's job begins with; its id follows.
_KEY: Final = f"{TASK} "
# How many accounts are queued at once; the others wait for the next time.
MOST_ACCOUNTS: Final = 200
# The platform's account is due every minute, so its job does not wait behind those of thousands of others.
OF_PLATFORM: Final = 10
ORDINARY: Final = 0
# A line may appear a little later than younger ones, so the last minutes are read again.
OUT_OF_ORDER: Final = timedelta(minutes=3)
# How often lines and balance are read until they agree, and how often all of it while lines are still being explained.
ATTEMPTS: Final = 3
ROUNDS: Final = 3
# The most objects that one run reads because of their lines.
MOST_READS: Final = 500
# More new lines than these are not searched for the one at which the balance was read.
MOST_NEW: Final = 1000


def queue_due(*, now: datetime) -> int:
    """Queue a job for each account whose statement is due and that has no waiting job; return how many.

    An account stays due until its job begins, which claims it. One that has news while it is read is due again, and
    gets another job. The account is the job's queueing lock.
    """
    statement.add_accounts(_reporting(), now)
    return database.run(lambda: _queue_due(now))


def _queue_due(now: datetime) -> int:
    is_platform = ExpressionWrapper(Q(account=None), output_field=BooleanField())
    due = statement.due(now).annotate(is_platform=is_platform, job_key=Concat(Value(_KEY), Cast("pk", CharField())))
    without_job = due.filter(~jobs.is_locked("job_key", by=now)).order_by("-is_platform", "due_at", "pk")
    found = without_job.values_list("pk", "job_key", "is_platform")[:MOST_ACCOUNTS]
    for account_id, key, first in found:
        priority = OF_PLATFORM if first else ORDINARY
        jobs.defer_once(TASK, queue=QUEUE, lock=key, priority=priority, account_id=account_id)
    return len(found)


def are_due(*, now: datetime) -> bool:
    """Return whether `queue_due` has something to do."""
    return statement.are_due(_reporting(), now)


def read_for_checks() -> list[str]:
    """Read what the providers hold now; return one sentence for each account that could not be read.

    These are the platform's accounts and those that are due or differed last time. Any other account was compared
    since it last changed.
    """
    now = timezone.now()
    statement.add_accounts(_reporting(), now)
    problems = []
    for account_id in statement.due_or_different(now):
        try:
            refresh(account_id=account_id, now=now)
        except ProviderError as error:
            account = ProviderAccount.objects.get(pk=account_id)
            problems.append(f"{account} was not compared with the provider now: {error.message}")
    return problems


def _reporting() -> list[str]:
    """Return the names of the providers that have a statement."""
    return [provider.name for provider in providers.every() if supports(provider, ReportsMoney)]


def read_due(*, account_id: int, is_repeated: bool, now: datetime) -> bool:
    """Read the statement of one account as its job does; return False if it was read since it was queued.

    `is_repeated` says that the job was taken before, and not performed to its end. Raises the provider's errors.
    """
    if not statement.begin(account_id, is_repeated=is_repeated, now=now):
        return False
    refresh(account_id=account_id, now=now)
    return True


def refresh(*, account_id: int, now: datetime) -> None:
    """Read the statement of one account, match its lines and compare the balances.

    Raises the provider's errors; the account is then due again soon.
    """
    account = ProviderAccount.objects.select_related("account").get(pk=account_id)
    is_done = False
    try:
        is_done = _refresh(account, now)
    except Rejected as refusal:
        log.warning("statement_refused", account=str(account), fault=str(refusal))
        # The provider may not know the cursor any more. An account that has left the platform is refused again without
        # one, and then reading it soon would not help.
        is_done = not statement.forget_cursor(account)
        _match_stored(account, now)
    finally:
        statement.finish(account, is_done=is_done, now=now)


def _match_stored(account: ProviderAccount, now: datetime) -> None:
    """Match the stored lines of a closed account with what is known here, since nothing more is learned of them."""
    if account.account is None or not account.account.closed:
        return
    for sources in matching.unmatched(account):
        matching.match(account=account, sources=sources, read=sources, now=now)


def _refresh(account: ProviderAccount, now: datetime) -> bool:
    """Read, match and compare; return whether nothing is left to be looked at again soon."""
    reader = _Reader(account, now)
    reads = MOST_READS
    for _ in range(ROUNDS):
        closed = ledger.closed_until()
        unstated = reader.read()
        made, is_changed = _explain(account, reads, now)
        reads -= made
        if not is_changed:
            break
    if unstated is None:
        return False
    compared = reconciliation.compare(account=account, closed=closed, unstated=unstated, now=now)
    return not any(each.difference for each in compared) and not statement.has_new(account)


class _Reader:
    """Reads lines and balances of one account until they agree."""

    def __init__(self, account: ProviderAccount, now: datetime) -> None:
        self._account = account
        self._now = now
        self._reports = supporting(providers.get(account.provider), ReportsMoney)
        self._id = "" if account.account is None else str(account.account.provider_account_id)

    def read(self) -> Mapping[str, int] | None:
        """Store all lines; return what the provider holds beyond their sum, in minor units by currency.

        That is normally nothing. None: lines came so fast that no balance could be compared with them.
        """
        self._store_new()
        for _ in range(ATTEMPTS):
            stated, held = statement.sums(self._account), self._balances()
            fresh = [] if _is_equal(stated, held) else self._store_new()
            if _is_passed(stated, held, fresh):
                return self._opened(dict.fromkeys(held, 0))
        return None if fresh else self._opened(_gaps(stated, held))

    def _opened(self, gaps: Mapping[str, int]) -> Mapping[str, int]:
        """Return the gaps; those of the first time are what the account held before its first line."""
        if self._account.read_at is not None:
            return gaps
        statement.open_account(self._account, gaps, self._now)
        return dict.fromkeys(gaps, 0)

    def _balances(self) -> dict[str, int]:
        totals = [balance.total for balance in self._reports.read_balances(self._id)]
        return {total.currency: total.amount_minor for total in totals}

    def _store_new(self) -> list[StatementEntry]:
        """Store the lines behind the cursor, page by page; return those that are new, oldest first, up to a limit."""
        after = self._account.cursor
        began_at = self._now if after else statement.begin_anew(self._account, self._now)
        position = _Position()
        go = position.go_forward if after else position.go_back
        fresh: list[StatementEntry] = []
        for page in self._reports.read_statement(account_id=self._id, after=after, since=began_at):
            stored = statement.store(account=self._account, entries=page, cursor=go(page), now=self._now)
            fresh = [*fresh, *stored] if after else [*stored, *fresh]
            del fresh[MOST_NEW:]
        if not after:
            statement.store(account=self._account, entries=[], cursor=position.cursor, now=self._now)
            statement.end_anew(self._account)
        return fresh


class _Position:
    """The cursor: the newest line that is older than the newest line read by more than `OUT_OF_ORDER`."""

    def __init__(self) -> None:
        self._recent: deque[StatementEntry] = deque()
        self._newest: datetime | None = None
        self.cursor = ""

    def go_forward(self, page: Sequence[StatementEntry]) -> str:
        """Return the cursor after the next page, whose lines are younger."""
        self._recent.extend(page)
        newest = max((entry.created_at for entry in self._recent), default=None)
        while newest is not None and self._recent[0].created_at <= newest - OUT_OF_ORDER:
            self.cursor = self._recent.popleft().id
        return self.cursor

    def go_back(self, page: Sequence[StatementEntry]) -> str:
        """Note the cursor that is right once the last page, which has the oldest lines, was stored."""
        for entry in reversed(page):
            self._newest = self._newest or entry.created_at
            if not self.cursor and entry.created_at <= self._newest - OUT_OF_ORDER:
                self.cursor = entry.id
        return ""


def _is_equal(stated: Mapping[str, int], held: Mapping[str, int]) -> bool:
    return not any(_gaps(stated, held).values())


def _gaps(stated: Mapping[str, int], held: Mapping[str, int]) -> dict[str, int]:
    """Return what is held beyond what the lines say, by currency."""
    return {currency: held.get(currency, 0) - stated.get(currency, 0) for currency in {*stated, *held}}


def _is_passed(stated: Mapping[str, int], held: Mapping[str, int], fresh: Sequence[StatementEntry]) -> bool:
    """Return whether the balance is the sum of the lines, or was while the fresh lines came in."""
    sums = dict(stated)
    if _is_equal(sums, held):
        return True
    for entry in fresh:
        currency = entry.amount.currency
        sums[currency] = sums.get(currency, 0) + entry.amount.amount_minor - entry.fee.amount_minor
        if _is_equal(sums, held):
            return True
    return False


# -- the objects behind lines


def _explain(account: ProviderAccount, most: int, now: datetime) -> tuple[int, bool]:
    """Match the lines that are not matched, after reading the objects of those that no posting explains.

    At most that many are read, the others next time. Returns how many were, and whether anything was posted.
    """
    made, is_changed = 0, False
    for sources in matching.unmatched(account):
        outcome = matching.match(account=account, sources=sources, read=(), now=now)
        is_changed = is_changed or outcome.posted
        unread = outcome.unread[: most - made]
        read = _read_objects(account, unread, now)
        made += len(unread)
        if read:
            matching.match(account=account, sources=read, read=read, now=now)
            is_changed = True
    return made, is_changed


def _read_objects(account: ProviderAccount, lines: Sequence[StatementLine], now: datetime) -> list[str]:
    """Apply the present state of each line's object, as its webhook would; return the sources that are known now.

    The others are read again by the next run: their object is not here yet, or the provider did not answer.
    """
    read = []
    for line in lines:
        try:
            if _is_read(account, line, now):
                read.append(line.source)
        except Unavailable as error:
            log.warning("statement_reads_put_off", account=str(account), fault=str(error))
            break
    return read


def _is_read(account: ProviderAccount, line: StatementLine, now: datetime) -> bool:
    """Read the object of a line; return whether there is nothing more to be learned about it now."""
    if line.subject == Subject.NOTHING.value:
        return True
    event = IncomingEvent(
        provider=account.provider,
        subject=line.subject,
        object_id=line.object_id,
        account_id="" if account.account is None else str(account.account.provider_account_id),
    )
    try:
        dispatch.refresh(event, now=now)
    except (dispatch.NotOurs, Rejected):
        return True
    except Unavailable:
        raise
    except (ProviderError, Error) as error:
        log.warning("statement_read_failed", line=str(line), fault=str(error))
        return False
    except UnknownObject:
        return _is_old(line, now)
    except Exception:
        log.exception("statement_read_failed", line=str(line))
        return _is_old(line, now)
    return True


def _is_old(line: StatementLine, now: datetime) -> bool:
    """Return whether a line is too old for its object to be still on its way into our tables."""
    return now - line.stored_at >= UNKNOWN_FOR_AT_MOST
