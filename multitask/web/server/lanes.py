"""Decides which requests run and which wait: lanes share the threads, and within a lane callers take turns.

Everything here runs in the event loop, so no locks are needed.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from multitask.web.server.callers import Caller


class Name(StrEnum):
    """The lanes. `system` is for monitoring, `provider` for requests that may wait for the payment provider."""

    SYSTEM = "system"
    WEBHOOKS = "webhooks"
    PROVIDER = "provider"
    ORDINARY = "ordinary"


class Reason(StrEnum):
    """Why a request is refused before it runs."""

    FULL = "full"
    WAITED = "waited"


class Busy(Exception):
    """The lane's queue is full, or the request waited too long in it."""

    def __init__(self, lane: Name, reason: Reason) -> None:
        """Store the labels of the metric."""
        super().__init__(lane, reason)
        self.lane, self.reason = lane, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The limits of one lane: threads reserved for it (`kept`), threads it may use at most, also per caller and per
    group of callers, the length of its queue, and how long a request may wait.
    """

    kept: int
    most: int
    most_of_one: int
    most_of_group: int
    queue: int
    seconds: float


@dataclass(slots=True, eq=False)
class Ticket:
    """One request that waits or runs in a lane."""

    lane: Name
    caller: Caller
    turn: asyncio.Future[None] | None = None


@dataclass(slots=True)
class _Group:
    """The waiting requests of one group: callers in the order of their turns, each caller's requests oldest first."""

    callers: OrderedDict[Caller, deque[Ticket]] = field(default_factory=OrderedDict)
    length: int = 0

    def of(self, caller: Caller) -> int:
        return len(self.callers.get(caller, ()))

    def longest(self) -> deque[Ticket]:
        return max(self.callers.values(), key=len)


@dataclass(slots=True)
class _Lane:
    bounds: Bounds
    running: int = 0
    running_of: Counter[Caller] = field(default_factory=Counter)
    running_of_group: Counter[str] = field(default_factory=Counter)
    # The groups in the order of their turns.
    waiting: OrderedDict[str, _Group] = field(default_factory=OrderedDict)
    length: int = 0

    def add(self, ticket: Ticket) -> None:
        group = self.waiting.setdefault(ticket.caller.group, _Group())
        group.callers.setdefault(ticket.caller, deque()).append(ticket)
        group.length += 1
        self.length += 1

    def remove(self, ticket: Ticket) -> None:
        """Remove a ticket from the queue, if it is there."""
        group = self.waiting.get(ticket.caller.group)
        queue = group.callers.get(ticket.caller) if group is not None else None
        if group is None or queue is None or ticket not in queue:
            return
        queue.remove(ticket)
        if not queue:
            del group.callers[ticket.caller]
        group.length -= 1
        if not group.length:
            del self.waiting[ticket.caller.group]
        self.length -= 1

    def may_run(self, caller: Caller) -> bool:
        """Return whether the caller and its group may run another request."""
        return (
            self.running_of[caller] < self.bounds.most_of_one
            and self.running_of_group[caller.group] < self.bounds.most_of_group
        )

    def next(self) -> Ticket | None:
        """Return the oldest request of the first caller in the first group that may run another one, or None."""
        for name, group in self.waiting.items():
            if self.running_of_group[name] < self.bounds.most_of_group:
                for caller, queue in group.callers.items():
                    if self.may_run(caller):
                        return queue[0]
        return None

    def end_turn(self, caller: Caller) -> None:
        """Move the group and the caller to the end of the order of turns."""
        group = self.waiting.get(caller.group)
        if group is not None:
            self.waiting.move_to_end(caller.group)
            if caller in group.callers:
                group.callers.move_to_end(caller)

    def start(self, caller: Caller) -> None:
        self.running += 1
        self.running_of[caller] += 1
        self.running_of_group[caller.group] += 1

    def end(self, caller: Caller) -> None:
        self.running -= 1
        self.running_of[caller] -= 1
        if not self.running_of[caller]:
            del self.running_of[caller]
        self.running_of_group[caller.group] -= 1
        if not self.running_of_group[caller.group]:
            del self.running_of_group[caller.group]


WEBHOOK_QUEUE: Final = 1_024
ORDINARY_QUEUE: Final = 512
PROVIDER_QUEUE: Final = 128
SYSTEM_QUEUE: Final = 32


def bounds(*, threads: int, seconds: float) -> dict[Name, Bounds]:
    """Return the limits of all lanes for `threads` threads and `seconds` of waiting; monitoring has one more thread.

    Requests that call the provider use at most half of the threads, and each caller only one at a time, so that the
    requests of a double click wait without a thread. They may wait twice as long, since a call can take that long.

    All session cookies of one network together get as many ordinary threads as one caller, since they can be forged.
    """
    kept = max(1, threads // 4)
    of_one = max(1, threads - 2 * kept)
    return {
        Name.SYSTEM: Bounds(kept=1, most=1, most_of_one=1, most_of_group=1, queue=SYSTEM_QUEUE, seconds=seconds),
        Name.WEBHOOKS: Bounds(
            kept=kept,
            most=threads - kept,
            most_of_one=threads,
            most_of_group=threads,
            queue=WEBHOOK_QUEUE,
            seconds=seconds,
        ),
        Name.PROVIDER: Bounds(
            kept=0,
            most=max(1, threads // 2),
            most_of_one=1,
            most_of_group=threads,
            queue=PROVIDER_QUEUE,
            seconds=2 * seconds,
        ),
        Name.ORDINARY: Bounds(
            kept=kept,
            most=threads - kept,
            most_of_one=of_one,
            most_of_group=of_one,
            queue=ORDINARY_QUEUE,
            seconds=seconds,
        ),
    }


class Lanes:
    """Shares the threads between the lanes."""

    def __init__(self, lanes: Mapping[Name, Bounds], *, threads: int) -> None:
        """Start with all threads free; `threads` includes those reserved for single lanes."""
        self._lanes = {name: _Lane(bounds) for name, bounds in lanes.items()}
        self._shared = threads - sum(bounds.kept for bounds in lanes.values())

    async def enter(self, name: Name, caller: Caller) -> Ticket:
        """Wait for a thread; return the ticket to be passed to `leave`. Raises Busy."""
        lane, ticket = self._lanes[name], Ticket(name, caller)
        if self._has_thread(lane) and lane.may_run(caller):
            lane.start(caller)
            return ticket
        self._make_room(lane, ticket)
        loop = asyncio.get_running_loop()
        ticket.turn = loop.create_future()
        lane.add(ticket)
        timer = loop.call_later(lane.bounds.seconds, self._refuse, ticket, Reason.WAITED)
        try:
            await ticket.turn
        except asyncio.CancelledError:
            if ticket.turn.cancelled():
                lane.remove(ticket)
            else:
                self.leave(ticket)
            raise
        finally:
            timer.cancel()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Free the thread, and start waiting requests."""
        lane = self._lanes[ticket.lane]
        lane.end(ticket.caller)
        # The lane itself comes last, so that a lane with a long queue does not take all shared threads.
        others = [other for other in self._lanes.values() if other is not lane and other.length]
        for each in (*others, lane):
            self._admit(each)

    def running(self, name: Name) -> int:
        """Return how many requests of a lane are running."""
        return self._lanes[name].running

    def waiting(self, name: Name) -> int:
        """Return how many requests of a lane are waiting."""
        return self._lanes[name].length

    def _has_thread(self, lane: _Lane) -> bool:
        if lane.running >= lane.bounds.most:
            return False
        if lane.running < lane.bounds.kept:
            return True
        used = sum(max(0, each.running - each.bounds.kept) for each in self._lanes.values())
        return used < self._shared

    def _admit(self, lane: _Lane) -> None:
        while lane.length and self._has_thread(lane):
            ticket = lane.next()
            if ticket is None:
                return
            lane.remove(ticket)
            assert ticket.turn is not None  # noqa: S101
            if ticket.turn.done():  # Cancelled, but its task has not run since.
                continue
            lane.end_turn(ticket.caller)
            lane.start(ticket.caller)
            ticket.turn.set_result(None)

    def _make_room(self, lane: _Lane, newcomer: Ticket) -> None:
        """Remove a request from a full queue in favour of `newcomer`, or raise Busy.

        The newest request of the caller with the most waiting requests is refused, in the group with the most. If
        the newcomer's own group and caller already have the most, the newcomer itself is refused with Busy.
        """
        if lane.length < lane.bounds.queue:
            return
        own = lane.waiting.get(newcomer.caller.group, _Group())
        largest = max(lane.waiting.values(), key=lambda group: group.length)
        if largest.length > own.length + 1:
            self._refuse(largest.longest()[-1], Reason.FULL)
        elif own.length and len(own.longest()) > own.of(newcomer.caller) + 1:
            self._refuse(own.longest()[-1], Reason.FULL)
        else:
            raise Busy(newcomer.lane, Reason.FULL)

    def _refuse(self, ticket: Ticket, reason: Reason) -> None:
        assert ticket.turn is not None  # noqa: S101
        if not ticket.turn.done():
            self._lanes[ticket.lane].remove(ticket)
            ticket.turn.set_exception(Busy(ticket.lane, reason))
