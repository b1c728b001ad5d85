"""How long a call at a provider waits before it is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from multitask.payments.models import Operation
from multitask.payments.operations import retries
from multitask.payments.provider import Unavailable


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 2), (2, 4), (9, 512), (10, 900), (99, 900), (100, 3_600), (5_000, 3_600)]
)
def test_attempts_become_rarer_in_two_steps(attempts: int, seconds: int) -> None:
    refused = Unavailable("balance_insufficient", "Not enough money.")
    assert retries.delay(Operation(attempts=attempts), refused) == timedelta(seconds=seconds)


def test_a_provider_may_ask_for_more() -> None:
    limited = Unavailable("rate_limited", "Too many calls.", retry_after=timedelta(hours=1))
    assert retries.delay(Operation(attempts=1), limited) == timedelta(hours=1)


REFUSED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def limited(attempts: int, delay: float, **more: object) -> Operation:
    """A call that was refused as one too many, and its next attempt."""
    given = {"state": "pending", "last_error_code": "rate_limited", **more}
    following = REFUSED_AT + timedelta(seconds=delay)
    return Operation(attempts=attempts, sent_at=REFUSED_AT, next_attempt_at=following, **given)


@pytest.mark.parametrize(
    ("operation", "seconds", "left"),
    [
        (limited(1, 30), 0, 30),
        (limited(1, 30), 29, 1),
        (limited(1, 30), 30, None),
        (limited(1, 2), 1, 1),
        (limited(10, 900), 20, 40),
        (limited(10, 900), 60, None),
        (limited(10, 1_800), 60, 1_740),
        (limited(1, 30), -1, None),
        (limited(1, 30, state="unknown"), 0, None),
        (limited(1, 30, last_error_code="idempotency_key_in_use"), 0, None),
    ],
)
def test_a_person_waits_as_long_as_the_provider_asks(operation: Operation, seconds: int, left: int | None) -> None:
    wait = retries.wanted_by_provider(operation, REFUSED_AT + timedelta(seconds=seconds))
    assert wait == (None if left is None else timedelta(seconds=left))
