"""Decides which requests run now and which wait: lanes share the threads, callers take turns within one.

Everything here runs in the event loop, so nothing is locked.
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
    """Why a request is refused without having been tried."""

    FULL = "full"
    WAITED = "waited"


class Busy(Exception):
    """A lane has no room for a request, or did not come to it in time."""

    def __init__(self, lane: Name, reason: Reason) -> None:
        """Keep what metrics count."""
        super().__init__(lane, reason)
        self.lane, self.reason = lane, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one lane may take: threads kept for it, the most it may use, the most of one caller and of one group of
    callers, and its queue.
    """

    kept: int
    most: int
    most_of_one: int
    most_of_group: int
    queue: int
    seconds: float


@dataclass(slots=True, eq=False)
class Ticket:
    """The place of one request in its lane."""

    lane: Name
    caller: Caller
    turn: asyncio.Future[None] | None = None


@dataclass(slots=True)
class _Group:
    """The waiting requests of one group: its callers in the order of their turns, each with its oldest first."""

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
        """Let it wait no longer; nothing happens when it does not wait."""
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
        """Return whether the caller and the group may have another request running."""
        return (
            self.running_of[caller] < self.bounds.most_of_one
            and self.running_of_group[caller.group] < self.bounds.most_of_group
        )

    def next(self) -> Ticket | None:
        """The oldest request of the first caller, of the first group, who may have another one running."""
        for name, group in self.waiting.items():
            if self.running_of_group[name] < self.bounds.most_of_group:
                for caller, queue in group.callers.items():
                    if self.may_run(caller):
                        return queue[0]
        return None

    def end_turn(self, caller: Caller) -> None:
        """Let the others of the group, and the other groups, go first."""
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
    """Return the lanes' bounds for so many threads and so many seconds of waiting; one more thread is for monitoring.

    Requests that wait for the provider take at most half of the threads, and one caller has one of them at a time:
    the others of a double click wait without a thread. A request may wait twice as long there, as one call may
    take that long.

    The session cookies of one network have together no more ordinary threads than one caller: they can be made up.
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
    """The threads as the lanes share them."""

    def __init__(self, lanes: Mapping[Name, Bounds], *, threads: int) -> None:
        """Begin with every thread free; `threads` are all of them, those kept for single lanes included."""
        self._lanes = {name: _Lane(bounds) for name, bounds in lanes.items()}
        self._shared = threads - sum(bounds.kept for bounds in lanes.values())

    async def enter(self, name: Name, caller: Caller) -> Ticket:
        """Wait for a thread, and return the ticket that `leave` takes. Raises Busy."""
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
        """Give the thread back, and let those run who waited for it."""
        lane = self._lanes[ticket.lane]
        lane.end(ticket.caller)
        # The lane itself last, so that one with a long queue does not keep the shared threads to itself.
        others = [other for other in self._lanes.values() if other is not lane and other.length]
        for each in (*others, lane):
            self._admit(each)

    def running(self, name: Name) -> int:
        """Return how many requests of a lane have a thread."""
        return self._lanes[name].running

    def waiting(self, name: Name) -> int:
        """Return how many requests of a lane wait for one."""
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
            if ticket.turn.done():  # Cancelled a moment ago: its task has not run since.
                continue
            lane.end_turn(ticket.caller)
            lane.start(ticket.caller)
            ticket.turn.set_result(None)

    def _make_room(self, lane: _Lane, newcomer: Ticket) -> None:
        """Refuse the newest request of the group, and in it of the caller, with the most waiting. Raises Busy.

        Busy is for the newcomer, when there is nobody with more waiting.
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
