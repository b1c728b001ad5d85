"""The page that waits for the confirmation of a payment."""

from collections.abc import Callable

import pytest
from django.test import Client

from multitask.users.actor import Actor
from multitask.web.pages.funding.checkout import LONGEST_WAIT_SECONDS, POLL_SECONDS
from tests.integration.pages.reading import text_of
from tests.payments_world import World

SignIn = Callable[[Actor], Client]
LATE = "This takes longer than usual."


def test_the_page_asks_again_for_a_while_and_then_says_that_it_takes_long(world: World, sign_in: SignIn) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    browser, path = sign_in(job.client), f"/tasks/{job.task_id}/pay/wait/"
    first = browser.get(path).content.decode()
    assert f"?waited={POLL_SECONDS}" in first
    assert f'hx-trigger="every {POLL_SECONDS}s"' in first
    last = browser.get(f"{path}?waited={LONGEST_WAIT_SECONDS}")
    assert "hx-trigger" not in last.content.decode()
    assert LATE in text_of(last)


@pytest.mark.parametrize("waited", ["", "-1", "many", "9" * 40, "٣"])
def test_a_strange_wait_counts_as_none(world: World, sign_in: SignIn, waited: str) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    page = sign_in(job.client).get(f"/tasks/{job.task_id}/pay/wait/", {"waited": waited})
    assert page.status_code == 200
    assert LATE not in text_of(page)
