"""How long a call at a provider waits before it is tried again."""

from datetime import timedelta

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
