"""A call that was decided long ago is not sent."""

from datetime import timedelta

import pytest

from multitask.payments import sending, steady


class Clock:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_call_may_be_sent_until_the_limit() -> None:
    clock = Clock()
    with steady.using(clock), sending.within(timedelta(seconds=30), since=sending.moment()):
        clock.seconds += 29.9
        sending.check()
        clock.seconds += 0.1
        with pytest.raises(sending.TooLate):
            sending.check()


def test_without_a_limit_a_call_may_always_be_sent() -> None:
    sending.check()
    with sending.within(timedelta(0), since=sending.moment()), pytest.raises(sending.TooLate):
        sending.check()
    sending.check()


def test_the_steady_clock_runs_and_comes_back_after_another() -> None:
    before = steady.seconds()
    with steady.using(lambda: -1.0):
        assert steady.seconds() == -1.0
    assert before <= steady.seconds()
