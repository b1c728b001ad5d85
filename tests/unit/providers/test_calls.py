"""How calls to a provider are bounded, and when they are refused at once."""

import itertools
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from multitask.payments.operations import boot_clock
from multitask.payments.provider import ProviderError, Rejected, Unavailable, Unknown
from multitask.providers import circuit_breaker
from multitask.providers.circuit_breaker import Guard

NO_ANSWER = Unknown("connection_failed", "No answer.")
_names = itertools.count(1)


class Clock:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with boot_clock.using(clock):
        yield clock


@pytest.fixture
def guard() -> circuit_breaker.Guard:
    return circuit_breaker.Guard(f"provider{next(_names)}", requests_at_once=2)


def call(guard: Guard, error: ProviderError | None = None) -> str:
    """Make a call that ends with an error, if one is given; return what the caller sees."""
    try:
        with guard.call():
            if error is not None:
                raise error
    except ProviderError as seen:
        return seen.code
    return "answered"


def open_breaker(guard: Guard) -> None:
    for _ in range(circuit_breaker.FAILURES_TO_OPEN):
        assert call(guard, NO_ANSWER) == "connection_failed"


def test_several_calls_without_an_answer_open_the_breaker(clock: Clock, guard: Guard) -> None:
    open_breaker(guard)
    with pytest.raises(Unavailable) as refusal, guard.call():
        raise AssertionError("no call may be made")
    assert refusal.value.code == "provider_not_answering"
    assert refusal.value.retry_after == timedelta(seconds=circuit_breaker.FIRST_PAUSE_SECONDS)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        Rejected("card_declined", "No."),
        Unavailable("rate_limited", "Busy."),
        Unknown("provider_error", "Again.", replayed=True),
    ],
)
def test_any_answer_in_between_keeps_it_closed(clock: Clock, guard: Guard, answer: ProviderError | None) -> None:
    for _ in range(3 * circuit_breaker.FAILURES_TO_OPEN):
        call(guard, NO_ANSWER)
        call(guard, NO_ANSWER)
        call(guard, answer)
    assert call(guard) == "answered"


def test_after_a_pause_one_call_tries_and_its_answer_closes_the_breaker(clock: Clock, guard: Guard) -> None:
    open_breaker(guard)
    clock.seconds += circuit_breaker.FIRST_PAUSE_SECONDS
    with guard.call():
        assert call(guard) == "provider_not_answering"
    assert call(guard) == call(guard) == "answered"


def test_a_trial_without_an_answer_doubles_the_pause_up_to_a_minute(clock: Clock, guard: Guard) -> None:
    open_breaker(guard)
    pauses = []
    for _ in range(6):
        before = clock.seconds
        while call(guard, NO_ANSWER) == "provider_not_answering":
            clock.seconds += 1
        pauses.append(clock.seconds - before)
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_a_trial_that_was_not_sent_lets_the_next_one_try(clock: Clock, guard: Guard) -> None:
    open_breaker(guard)
    clock.seconds += circuit_breaker.FIRST_PAUSE_SECONDS
    assert call(guard, Unavailable("sent_too_late", "Late.")) == "sent_too_late"
    assert call(guard) == "answered"


def test_an_error_of_our_own_in_a_trial_lets_the_next_one_try(clock: Clock, guard: Guard) -> None:
    open_breaker(guard)
    clock.seconds += circuit_breaker.FIRST_PAUSE_SECONDS
    with pytest.raises(ZeroDivisionError), guard.call():
        raise ZeroDivisionError
    assert call(guard) == "answered"


def test_asking_first_is_refused_like_a_call_and_takes_no_turn(clock: Clock, guard: Guard) -> None:
    guard.breaker.require_closed()
    open_breaker(guard)
    with pytest.raises(Unavailable):
        guard.breaker.require_closed()
    clock.seconds += circuit_breaker.FIRST_PAUSE_SECONDS
    guard.breaker.require_closed()
    assert call(guard) == "answered"


def test_so_many_requests_call_at_once_and_jobs_are_not_counted(guard: Guard) -> None:
    with circuit_breaker.from_request(), guard.call(), guard.call():
        assert call(guard) == "provider_busy"
        jobs: list[str] = []
        job = threading.Thread(target=lambda: jobs.append(call(guard)))
        job.start()
        job.join(30)
        assert jobs == ["answered"]
    with circuit_breaker.from_request():
        assert call(guard) == "answered"


def test_turns_are_given_back_after_errors(guard: Guard) -> None:
    with circuit_breaker.from_request():
        for _ in range(2 * circuit_breaker.FAILURES_TO_OPEN):
            call(guard, Rejected("no", "No."))
        with guard.call(), guard.call():
            pass


def test_a_call_from_before_the_breaker_opened_is_no_trial(clock: Clock, guard: Guard) -> None:
    slow = guard.call()
    slow.__enter__()
    open_breaker(guard)
    clock.seconds += circuit_breaker.FIRST_PAUSE_SECONDS
    assert not slow.__exit__(type(NO_ANSWER), NO_ANSWER, None)
    assert call(guard) == "answered"
