"""Coming back from the provider's own pages."""

from collections.abc import Callable

import pytest
from django.test import Client

from multitask.users.actor import Actor
from tests.integration.pages.reading import text_of
from tests.payments_world import World

pytestmark = pytest.mark.django_db


def test_whoever_comes_back_while_the_provider_is_silent_is_told_so(
    world: World, sign_in: Callable[[Actor], Client]
) -> None:
    browser = sign_in(world.freelancer())
    world.sandbox.add_fault("drop_request", method="GET", path="/v1/accounts/*", count=1)
    answer = browser.get("/onboarding/return/")
    assert (answer.status_code, answer["Location"]) == (302, "/onboarding/")
    assert "We could not ask the payment provider just now" in text_of(browser.get("/onboarding/"))
