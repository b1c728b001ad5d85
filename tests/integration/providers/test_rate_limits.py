"""Limits that a provider sets for the platform hold for all processes together."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from multitask.providers import rate_limits
from multitask.providers.models import CallSlot

PERIOD = timedelta(minutes=1)


def take(name: str = "inquiry", most: int = 5) -> timedelta | None:
    return rate_limits.take(name, most=most, period=PERIOD)


def age(seconds: float) -> None:
    """Move all calls into the past, as if time had passed."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE providers_callslot SET used_at = used_at - %s", [timedelta(seconds=seconds)])


@pytest.mark.django_db
def test_so_many_calls_are_allowed_and_the_next_has_to_wait() -> None:
    assert [take() for _ in range(5)] == [None] * 5

    wait = take()

    assert wait is not None
    assert timedelta(0) < wait <= PERIOD
    assert CallSlot.objects.count() == 5


@pytest.mark.django_db
def test_a_call_becomes_possible_when_the_oldest_is_a_period_old() -> None:
    take()
    age(30)
    assert [take() for _ in range(4)] == [None] * 4
    assert take() is not None

    age(30)

    assert take() is None
    wait = take()
    assert wait is not None
    assert wait > timedelta(seconds=25)


@pytest.mark.django_db
def test_kinds_are_counted_apart() -> None:
    assert take("one", most=1) is None
    assert take("one", most=1) is not None
    assert take("two", most=1) is None


@pytest.mark.django_db
def test_a_call_that_a_clock_ahead_has_counted_does_not_block() -> None:
    take(most=1)
    age(-3_600)

    assert take(most=1) is None


@pytest.mark.django_db
def test_a_lower_limit_holds_at_once() -> None:
    for _ in range(5):
        take()
    age(61)

    assert [take(most=2) is None for _ in range(3)] == [True, True, False]


def in_a_thread(_: int) -> bool:
    try:
        return take() is None
    finally:
        connection.close()


def test_many_at_once_are_no_more_than_allowed(transactional_db: None) -> None:
    with ThreadPoolExecutor(12) as threads:
        allowed = sum(threads.map(in_a_thread, range(24)))

    assert allowed <= 5
    # One that lost a race for a slot may have been sent away although there was room.
    assert allowed + sum(take() is None for _ in range(5)) == 5
