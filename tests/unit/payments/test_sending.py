"""A call is not sent after its deadline."""

from datetime import timedelta

import pytest

from multitask.payments.operations import boot_clock, send_deadline


class Clock:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_call_may_be_sent_until_the_limit() -> None:
    clock = Clock()
    with boot_clock.using(clock), send_deadline.within(timedelta(seconds=30), since=send_deadline.moment()):
        clock.seconds += 29.9
        send_deadline.check()
        clock.seconds += 0.1
        with pytest.raises(send_deadline.TooLate):
            send_deadline.check()


def test_without_a_limit_a_call_may_always_be_sent() -> None:
    send_deadline.check()
    with send_deadline.within(timedelta(0), since=send_deadline.moment()), pytest.raises(send_deadline.TooLate):
        send_deadline.check()
    send_deadline.check()


def test_the_steady_clock_runs_and_comes_back_after_another() -> None:
    before = boot_clock.seconds()
    with boot_clock.using(lambda: -1.0):
        assert boot_clock.seconds() == -1.0
    assert before <= boot_clock.seconds()
