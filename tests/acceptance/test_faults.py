"""Faults between us and the provider, drawn from a seed; whole stories end with equal books.

STORY_SEEDS says how many seeds are played (`STORY_SEEDS=200 make test ARGS=tests/acceptance/test_faults.py`),
STORY_FIRST_SEED with which to begin. A failure names its seed and the rules drawn from it.
"""

import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from multitask.webhooks import polling
from tests.acceptance import books
from tests.acceptance.story import Story
from tests.acceptance.system import PATIENCE, System, eventually, in_process

pytestmark = pytest.mark.django_db

FIRST = int(os.environ.get("STORY_FIRST_SEED", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("STORY_SEEDS", "5")))
REQUESTS = ("drop_request", "drop_response", "error_before", "error_after", "rate_limit", "delay")
WEBHOOKS = ("webhook_lost", "webhook_doubled", "webhook_delayed", "webhook_reordered")
PATHS = (
    "/v1/*",
    "/v1/transfers",
    "/v1/payouts",
    "/v1/refunds",
    "/v1/payment_intents*",
    "/v1/customers",
    "/v1/accounts",
)


@pytest.fixture(autouse=True)
def _calm(system: System) -> Iterator[None]:
    yield
    system.sandbox.clear_faults()


def ended_with_refund(story: Story) -> None:
    story.hire()
    story.fund()
    story.refund()
    story.until("refunded")


def ended_with_cancellation(story: Story) -> None:
    story.hire()
    story.intend()
    story.cancel()
    story.until("cancelled")


ENDS = (Story.play, ended_with_refund, ended_with_cancellation)


def play(system: System, *ends: Callable[[Story], object]) -> None:
    """Play stories at once; meanwhile what is open is asked about as if a minute passed every moment."""
    stories = [Story(system) for _ in ends]
    with ThreadPoolExecutor(len(ends)) as threads:
        played = [threads.submit(end, story) for end, story in zip(ends, stories, strict=True)]
        eventually(lambda: minute_passed(system, played), "the stories to end", seconds=2 * PATIENCE, pause=0.6)
        for ended in as_completed(played):
            ended.result()


def minute_passed(system: System, played: list[Future[object]]) -> bool:
    with in_process(system):
        polling.refresh_open(now=timezone.now() + timedelta(minutes=1))
    ended = [story for story in played if story.done()]
    return len(ended) == len(played) or any(story.exception() for story in ended)


@pytest.mark.parametrize("seed", SEEDS)
def test_any_faults_end_with_equal_books(system: System, seed: int) -> None:
    drawn = random.Random(seed)
    rules: list[dict[str, Any]] = [
        {
            "kind": kind,
            "path": drawn.choice(PATHS),
            "probability": drawn.choice([0.2, 0.5, 1.0]),
            "count": drawn.randint(1, 4),
            "seconds": drawn.choice([0.1, 0.5, 2.0]),
            "seed": f"{seed}:{number}",
        }
        for number, kind in enumerate(drawn.sample(REQUESTS, 4))
    ]
    rules += [
        {"kind": kind, "probability": drawn.random(), "count": 20, "seconds": 0.5, "seed": f"{seed}:{kind}"}
        for kind in drawn.sample(WEBHOOKS, 2)
    ]
    for rule in rules:
        system.sandbox.add_fault(**rule)

    try:
        play(system, *ENDS)
        system.sandbox.clear_faults()
        books.assert_equal(system)
    except Exception as error:
        raise AssertionError(f"seed {seed} (STORY_SEEDS=1 STORY_FIRST_SEED={seed}), rules {rules}: {error}") from error


@pytest.mark.parametrize("kind", ["webhook_doubled", "webhook_delayed", "webhook_reordered"])
def test_unruly_webhooks_change_nothing(system: System, kind: str) -> None:
    system.sandbox.add_fault(kind, seconds=0.5)

    play(system, *ENDS)
    books.assert_equal(system)

    assert sum(rule["fired"] for rule in system.sandbox.faults()) > 0


def test_a_story_ends_without_any_webhook(system: System) -> None:
    received = "SELECT count(*) FROM webhooks_incomingevent"
    system.settle_down()
    before = system.query(received)
    system.sandbox.add_fault("webhook_lost")

    play(system, *ENDS)
    books.assert_equal(system)

    assert system.query(received) == before


@pytest.mark.parametrize("kind", REQUESTS)
def test_each_fault_at_each_call_that_moves_money(system: System, kind: str) -> None:
    for path in ("/v1/transfers", "/v1/payouts", "/v1/refunds"):
        system.sandbox.add_fault(kind, method="POST", path=path, count=1, seconds=0.5)

    play(system, Story.play, ended_with_refund)
    books.assert_equal(system)

    assert [rule["fired"] for rule in system.sandbox.faults()] == [1, 1, 1]
