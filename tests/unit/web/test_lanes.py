"""Lanes share the threads, and callers take turns within a lane."""

import asyncio
from collections import Counter

import pytest

from multitask.web.server import lanes
from multitask.web.server.callers import Caller
from multitask.web.server.lanes import Bounds, Busy, Lanes, Name, Reason, Ticket
from tests.unit.web import virtual_time

WAIT = 10.0


def eight_threads() -> Lanes:
    """What a server with eight threads and one for monitoring has."""
    return Lanes(lanes.bounds(threads=8, seconds=WAIT), threads=9)


def one_thread(queue: int = 100) -> Lanes:
    """A single ordinary thread."""
    return Lanes(
        {Name.ORDINARY: Bounds(kept=0, most=1, most_of_one=1, most_of_group=1, queue=queue, seconds=WAIT)}, threads=1
    )


async def settle() -> None:
    """Run the event loop until nothing more can run."""
    for _ in range(20):
        await asyncio.sleep(0)


def person(name: str, group: str = "") -> Caller:
    """A caller in a group of their own, or in this one."""
    return Caller(name, group or name)


def ask(all_lanes: Lanes, name: Name, caller: str, group: str = "") -> "asyncio.Task[Ticket]":
    return asyncio.get_running_loop().create_task(all_lanes.enter(name, person(caller, group)))


def test_requests_for_the_provider_take_at_most_half_of_the_threads() -> None:
    async def story() -> None:
        server = eight_threads()
        asked = [ask(server, Name.PROVIDER, f"client {number}") for number in range(100)]
        await settle()

        assert sum(task.done() for task in asked) == server.running(Name.PROVIDER) == 4
        for name in (Name.WEBHOOKS, Name.ORDINARY, Name.SYSTEM):
            await server.enter(name, person("somebody"))

        for task in asked:
            task.cancel()

    virtual_time.run(story())


@pytest.mark.parametrize("greedy", [Name.WEBHOOKS, Name.ORDINARY, Name.PROVIDER])
def test_no_lane_can_take_the_threads_that_are_kept_for_another(greedy: Name) -> None:
    async def story() -> None:
        server = eight_threads()
        asked = [ask(server, greedy, f"caller {number}") for number in range(100)]
        await settle()

        for other in {Name.WEBHOOKS, Name.ORDINARY, Name.SYSTEM} - {greedy}:
            await server.enter(other, person("somebody"))

        for task in asked:
            task.cancel()

    virtual_time.run(story())


def test_all_threads_are_used_when_one_lane_alone_is_busy_but_for_those_kept() -> None:
    async def story() -> None:
        server = eight_threads()
        for number in range(6):
            await server.enter(Name.WEBHOOKS, person(f"caller {number}"))

        assert server.running(Name.WEBHOOKS) == 6

    virtual_time.run(story())


def test_one_caller_with_many_requests_does_not_delay_another() -> None:
    async def story() -> None:
        server = one_thread(queue=1_000)
        running = await server.enter(Name.ORDINARY, person("greedy"))
        many = [ask(server, Name.ORDINARY, "greedy") for _ in range(500)]
        await settle()
        one = ask(server, Name.ORDINARY, "modest")
        await settle()

        server.leave(running)
        await settle()
        # Whichever of the two callers had the first turn, the other has the second.
        if not one.done():
            [first] = [task for task in many if task.done()]
            server.leave(first.result())
            await settle()

        assert one.done()
        for task in many:
            task.cancel()

    virtual_time.run(story())


def test_callers_take_turns() -> None:
    async def story() -> list[str]:
        server = one_thread()
        running = await server.enter(Name.ORDINARY, person("x"))
        waiting = [ask(server, Name.ORDINARY, caller) for caller in "aaabbc"]
        await settle()
        order = []
        while waiting:
            server.leave(running)
            await settle()
            [task] = [each for each in waiting if each.done() and each.result().turn is not None]
            waiting.remove(task)
            running = task.result()
            order.append(running.caller.name)
        return order

    assert virtual_time.run(story()) == ["a", "b", "c", "a", "b", "a"]


def test_one_caller_has_one_request_at_the_provider_and_the_others_wait_without_a_thread() -> None:
    async def story() -> None:
        server = eight_threads()
        winner = await server.enter(Name.PROVIDER, person("double click"))
        losers = [ask(server, Name.PROVIDER, "double click") for _ in range(49)]
        await settle()
        assert server.running(Name.PROVIDER) == 1
        assert server.waiting(Name.PROVIDER) == 49

        ticket = winner
        while losers:
            server.leave(ticket)
            await settle()
            assert server.running(Name.PROVIDER) == 1
            [task] = [each for each in losers if each.done()]
            losers.remove(task)
            ticket = task.result()

    virtual_time.run(story())


def test_a_request_that_waited_too_long_is_refused() -> None:
    async def story() -> float:
        server = one_thread()
        await server.enter(Name.ORDINARY, person("a"))
        with pytest.raises(Busy) as refused:
            await server.enter(Name.ORDINARY, person("b"))
        assert refused.value.reason is Reason.WAITED
        assert server.waiting(Name.ORDINARY) == 0
        return asyncio.get_running_loop().time()

    assert virtual_time.run(story()) == pytest.approx(WAIT)


def test_a_full_lane_refuses_whoever_has_the_most_waiting() -> None:
    async def story() -> None:
        server = one_thread(queue=4)
        running = await server.enter(Name.ORDINARY, person("x"))
        greedy = [ask(server, Name.ORDINARY, "greedy") for _ in range(4)]
        await settle()

        modest = ask(server, Name.ORDINARY, "modest")
        await settle()
        assert [task.done() for task in greedy] == [False, False, False, True]
        assert isinstance(greedy[-1].exception(), Busy)
        with pytest.raises(Busy) as refused:
            await server.enter(Name.ORDINARY, person("greedy"))
        assert refused.value.reason is Reason.FULL

        for _ in range(2):
            server.leave(running)
            await settle()
            running = next(t.result() for t in (*greedy[:3], modest) if t.done() and t.result() is not running)
            if running.caller.name == "modest":
                break
        assert modest.done()
        for task in greedy:
            task.cancel()

    virtual_time.run(story())


def test_whoever_went_away_while_waiting_leaves_no_trace() -> None:
    async def story() -> None:
        server = one_thread()
        running = await server.enter(Name.ORDINARY, person("a"))
        gone = ask(server, Name.ORDINARY, "b")
        await settle()
        gone.cancel()
        await settle()
        assert server.waiting(Name.ORDINARY) == 0

        # Cancelled and then passed over in the same moment, before its task has run again.
        gone, stays = ask(server, Name.ORDINARY, "e"), ask(server, Name.ORDINARY, "f")
        await settle()
        gone.cancel()
        server.leave(running)
        await settle()
        assert gone.cancelled()
        assert server.running(Name.ORDINARY) == 1
        assert server.waiting(Name.ORDINARY) == 0
        running = stays.result()

        # Given its turn and cancelled in the same moment, it hands the thread on.
        gone, stays = ask(server, Name.ORDINARY, "c"), ask(server, Name.ORDINARY, "d")
        await settle()
        server.leave(running)
        gone.cancel()
        await settle()
        assert stays.done()
        assert server.running(Name.ORDINARY) == 1

    virtual_time.run(story())


def test_groups_take_turns_and_then_the_callers_of_one_group() -> None:
    """A caller with a new name for each request gets no more turns than one with a single name."""

    async def story() -> list[str]:
        server = one_thread()
        running = await server.enter(Name.ORDINARY, person("x"))
        waiting = [ask(server, Name.ORDINARY, f"made up {number}", "crowd") for number in range(3)]
        waiting += [ask(server, Name.ORDINARY, "modest") for _ in range(2)]
        await settle()
        order = []
        while waiting:
            server.leave(running)
            await settle()
            [task] = [each for each in waiting if each.done()]
            waiting.remove(task)
            running = task.result()
            order.append(running.caller.name)
        return order

    assert virtual_time.run(story()) == ["made up 0", "modest", "made up 1", "modest", "made up 2"]


def test_a_lane_full_of_one_group_has_room_for_another() -> None:
    async def story() -> None:
        server = one_thread(queue=4)
        await server.enter(Name.ORDINARY, person("x"))
        crowd = [ask(server, Name.ORDINARY, f"made up {number}", "crowd") for number in range(4)]
        await settle()

        modest = ask(server, Name.ORDINARY, "modest")
        await settle()
        assert not modest.done()
        assert sum(task.done() for task in crowd) == 1
        with pytest.raises(Busy):
            await server.enter(Name.ORDINARY, person("made up 9", "crowd"))

        for task in (*crowd, modest):
            task.cancel()

    virtual_time.run(story())


def test_within_a_group_whoever_has_the_most_waiting_is_refused() -> None:
    async def story() -> None:
        server = one_thread(queue=4)
        await server.enter(Name.ORDINARY, person("x"))
        greedy = [ask(server, Name.ORDINARY, "greedy", "office") for _ in range(4)]
        await settle()

        colleague = ask(server, Name.ORDINARY, "colleague", "office")
        await settle()
        assert not colleague.done()
        assert [task.done() for task in greedy] == [False, False, False, True]

        for task in (*greedy, colleague):
            task.cancel()

    virtual_time.run(story())


def test_a_group_has_no_more_ordinary_threads_than_one_caller() -> None:
    async def story() -> None:
        server = eight_threads()
        crowd = [ask(server, Name.ORDINARY, f"made up {number}", "crowd") for number in range(20)]
        await settle()
        assert server.running(Name.ORDINARY) == 4
        await server.enter(Name.ORDINARY, person("modest"))
        for task in crowd:
            task.cancel()

    virtual_time.run(story())


def test_every_thread_comes_back() -> None:
    async def story() -> None:
        server = eight_threads()
        names = [*Name] * 50
        seen: Counter[Name] = Counter()

        async def one(number: int, name: Name) -> None:
            try:
                ticket = await server.enter(name, person(f"caller {number % 7}"))
            except Busy:
                return
            seen[name] += 1
            assert sum(server.running(each) for each in Name) <= 9
            await asyncio.sleep(0.01 * (number % 5))
            server.leave(ticket)

        await asyncio.gather(*(one(number, name) for number, name in enumerate(names)))
        assert set(seen) == set(Name)
        assert all(server.running(name) == server.waiting(name) == 0 for name in Name)

    virtual_time.run(story())
