"""Polls the provider for open objects, since any webhook can be lost.

Users are waiting for recent objects, so those are polled more often. A read does what the webhook would have done, so
both may come, in any order.

There may be more objects than one poll can read. Each poll reads the newest that are due, then continues where the
previous poll stopped, down to the oldest (`PollPosition`).

The provider may allow fewer calls than are due, or answer slowly: a poll has a limited time. A group that such a limit
stopped continues with the object that was not read, down to the oldest, before it begins with the newest again; and
the groups that have waited for longest come first. So every object is read in the end, however few calls are made in a
minute. Each provider has groups of its own, so none waits for another.
"""

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import structlog
from django.db import Error
from django.db.models import QuerySet

from multitask import providers
from multitask.payments.errors import UnknownObject
from multitask.payments.losses import chargebacks, fraud_warnings
from multitask.payments.provider import (
    Disburses,
    Disputes,
    Provider,
    ProviderError,
    Subject,
    Unavailable,
    supporting,
    supports,
)
from multitask.webhooks import dispatch, poll_groups
from multitask.webhooks.models import IncomingEvent, PollPosition
from multitask.webhooks.poll_groups import MINUTES_A_DAY, Group, Minutes

log = structlog.get_logger(__name__)

# We do not create chargebacks, so new ones have no row here: the provider lists those opened recently every so many
# minutes, and once a day those opened within a longer period, which covers outages.
OPENED_WITHIN: Final = (
    (15, timedelta(days=3)),
    (MINUTES_A_DAY, timedelta(days=30)),
)
_MINUTES: Final = "minutes"
# How long one poll may read, since comparisons of budgets and the hash chain wait for the same thread.
LONGEST_SECONDS: Final = 45.0
# After so many refusals in a row of which each may be about its object, a poll takes them for one of all calls.
MOST_REFUSED: Final = 3
_OUT_OF_TIME: Final = Unavailable("out_of_time", "The time of this poll is up.", refuses_all=True)


class _Turn(NamedTuple):
    """One poll: the moment that it is about, and when it ends, by the clock of `time.monotonic`."""

    now: datetime
    ends_at: float


def refresh_open(*, now: datetime, since: datetime | None = None) -> int:
    """Read the open objects that are due now or fell due since the last poll or `since`; return how many.

    So a delayed poll also reads what fell due meanwhile, which matters for objects that are due once a day.
    """
    positions = {position.name: position for position in PollPosition.objects.all()}
    last = positions.get(_MINUTES)
    if last is not None and last.polled_at is not None:
        missed = last.polled_at + timedelta(minutes=1)
        since = missed if since is None else min(since, missed)
    # The sort keeps the order of those that were not stopped.
    groups = poll_groups.by_provider(poll_groups.groups(now=now, since=since))
    found = sorted(groups, key=lambda group: _stopped_at(positions, group) or now)
    turn = _Turn(now, time.monotonic() + LONGEST_SECONDS)
    read = sum(_poll(group, positions.get(group.name), turn) for group in found)
    contested = [(0, event) for event in changed_chargebacks(now=now, since=since)]
    # They are listed again in fifteen minutes, so the limit of time leaves them out.
    read += _read_all(contested, _Turn(now, math.inf))[0]
    PollPosition.objects.update_or_create(name=_MINUTES, defaults={"polled_at": now})
    return read


def due(*, now: datetime, since: datetime | None = None) -> Iterator[IncomingEvent]:
    """Yield every due object, newest first in its group, as the event that may have been lost."""
    for group in poll_groups.groups(now=now, since=since):
        if group.is_due:
            yield from (event for _, event in _events(group, group.rows))


def changed_chargebacks(*, now: datetime, since: datetime | None = None) -> Iterator[IncomingEvent]:
    """Yield chargebacks and fraud warnings that are not stored or have changed at the provider, if a listing is due."""
    met = Minutes(now, since)
    ages = [age for every, age in OPENED_WITHIN if met.one_of(every)]
    if not ages:
        return
    for provider in providers.every():
        if not supports(provider, Disputes):
            continue
        opened = (now if since is None else min(now, since)) - max(ages)
        for subject, found in [*_contested(provider, opened), *_suspected(provider, opened)]:
            yield IncomingEvent(provider=provider.name, subject=subject.value, object_id=found)


def _contested(provider: Provider, since: datetime) -> list[tuple[Subject, str]]:
    try:
        changed = chargebacks.changed_ids(provider.name, supporting(provider, Disputes).list_disputes(since=since))
    except (ProviderError, Error) as error:
        log.warning("poll_failed", subject=Subject.DISPUTE.value, fault=str(error))
        return []
    return [(Subject.DISPUTE, found) for found in changed]


def _suspected(provider: Provider, since: datetime) -> list[tuple[Subject, str]]:
    try:
        listed = supporting(provider, Disputes).list_fraud_warnings(since=since)
        changed = fraud_warnings.changed_ids(provider.name, listed)
    except (ProviderError, Error) as error:
        log.warning("poll_failed", subject=Subject.FRAUD_WARNING.value, fault=str(error))
        return []
    return [(Subject.FRAUD_WARNING, found) for found in changed]


def _stopped_at(positions: Mapping[str, PollPosition], group: Group) -> datetime | None:
    return positions[group.name].polled_at if group.name in positions else None


def _poll(group: Group, position: PollPosition | None, turn: _Turn) -> int:
    """Read a part of the group: the newest if it is due, and those that earlier polls did not reach.

    A group that a limit stopped is read down to the oldest before its newest.
    """
    before, stopped_at = (None, None) if position is None else (position.after_id, position.polled_at)
    if not group.is_due and before is None:
        return 0
    after_id = before
    (most_new, most_behind), read, fault = group.most, 0, None
    if group.is_due and stopped_at is None:
        read, reached, fault = _read_part(group, None, most_new, turn)
        if fault is not None or after_id is None:
            after_id = reached
    if after_id is not None and fault is None:
        more, after_id, fault = _read_part(group, after_id, most_behind, turn)
        read += more
    if group.is_due and stopped_at is not None and after_id is None:
        more, after_id, fault = _read_part(group, None, most_new, turn)
        read += more
    if fault is None:
        waits_since = None
    else:
        # One of which nothing was read keeps its place before others.
        waits_since = stopped_at if stopped_at is not None and after_id == before else turn.now
    if (after_id, waits_since) != (before, stopped_at):
        changed = {"after_id": after_id, "polled_at": waits_since}
        PollPosition.objects.update_or_create(name=group.name, defaults=changed)
    return read


def _read_part(group: Group, below: int | None, most: int, turn: _Turn) -> tuple[int, int | None, Unavailable | None]:
    """Read the newest of a group, or the newest below a row, until the provider refuses all calls or the time is up.

    Return how many were read, below which row the next poll continues, None if the oldest has been read, and why the
    rest was not read, if it was not.
    """
    rows = group.rows if below is None else group.rows.filter(pk__lt=below)
    objects = list(_events(group, rows, most))
    refresh = _look_for if group.by_reference else _refresh
    read, reached, fault = _read_all(objects, turn, group.at_once, refresh)
    if fault is None and len(objects) < most:
        return read, None, None
    if reached is None:
        reached = below if below is not None else objects[0][0] + 1
    return read, reached, fault


def _events(group: Group, rows: QuerySet[Any], limit: int | None = None) -> Iterator[tuple[int, IncomingEvent]]:
    """Yield the objects with the ids of their rows, newest first."""
    for row_id, name, found, *owner in rows.order_by("-pk").values_list("pk", *group.columns)[:limit]:
        event = IncomingEvent(
            provider=name, subject=group.subject.value, object_id=str(found), account_id="".join(owner)
        )
        yield row_id, event


def _refresh(wanted: IncomingEvent, now: datetime) -> bool:
    """Read one object. Raises Unavailable when the provider accepts no calls now."""
    return _attempt(wanted, functools.partial(dispatch.refresh, wanted, now=now))


def _look_for(wanted: IncomingEvent, now: datetime) -> bool:
    """Look for one payout by our reference. Raises Unavailable when the provider accepts no calls now."""
    return _attempt(wanted, functools.partial(dispatch.look_for, wanted, now=now))


def _read_all(
    objects: list[tuple[int, IncomingEvent]],
    turn: _Turn,
    at_once: int = 1,
    refresh: Callable[[IncomingEvent, datetime], bool] = _refresh,
) -> tuple[int, int | None, Unavailable | None]:
    """Read objects until the provider refuses all calls or the time is up.

    Return how many were read, the last row, and why the rest was left for the next poll. Objects that alone are refused
    are passed over; if one after the other is, such as with a wrong key, the next poll continues after the first.
    """
    read, row_id = 0, None
    refused: list[int] = []
    for first in range(0, len(objects), at_once):
        if time.monotonic() >= turn.ends_at:
            return read, row_id, _OUT_OF_TIME
        some = objects[first : first + at_once]
        last_id, event = some[-1]
        try:
            events = [each for _, each in some]
            read += refresh(event, turn.now) if at_once == 1 else _refresh_together(events, turn.now)
        except Unavailable as error:
            log.warning("poll_put_off", subject=event.subject, object=event.object_id, fault=str(error))
            if error.refuses_all:
                return read, row_id, error
            refused.append(last_id)
            if len(refused) == MOST_REFUSED:
                return read, refused[0], error
        else:
            refused.clear()
        row_id = last_id
    return read, row_id, None


def _refresh_together(wanted: list[IncomingEvent], now: datetime) -> int:
    """Read payouts from one provider's budgets by one call; return how many were read."""
    provider = providers.get(wanted[0].provider)
    ours = {event.object_id: event for event in wanted}
    try:
        states = supporting(provider, Disburses).read_disbursements(list(ours))
    except Unavailable:
        raise
    except ProviderError as error:
        log.warning("poll_failed", subject=Subject.PAYOUT.value, provider=provider.name, fault=str(error))
        return 0
    return sum(
        _attempt(ours[found], functools.partial(dispatch.apply, ours[found], provider, state, now=now))
        for found, state in states.items()
    )


def _attempt(wanted: IncomingEvent, work: Callable[[], None]) -> bool:
    """Return whether it succeeded; an error on one object does not block the others, and its next poll retries it.

    Raises Unavailable when the provider accepts no calls now.
    """
    try:
        work()
    except Unavailable:
        raise
    except (dispatch.NotOurs, UnknownObject, ProviderError, Error) as error:
        log.warning("poll_failed", subject=wanted.subject, object=wanted.object_id, fault=str(error))
        return False
    except Exception:
        log.exception("poll_failed", subject=wanted.subject, object=wanted.object_id)
        return False
    return True
