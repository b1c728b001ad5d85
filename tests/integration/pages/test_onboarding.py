"""Coming back from the provider's own pages."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from multitask.payments.models import ConnectedAccount, ProviderCall
from multitask.users.actor import Actor
from multitask.users.models import User
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


def test_whoever_comes_back_again_and_again_causes_few_calls(
    world: World, sign_in: Callable[[Actor], Client], settings: Settings
) -> None:
    freelancer = world.freelancer()
    ProviderCall.objects.all().delete()
    settings.CARD_CALLS_PER_USER = 2
    browser = sign_in(freelancer)
    world.sandbox.add_fault("delay", path="/v1/accounts/*", seconds=0)  # which counts the requests
    for _ in range(5):
        assert browser.get("/onboarding/return/")["Location"] == "/onboarding/"
    assert world.sandbox.faults()[0]["matched"] == 2
    assert "We could not ask the payment provider just now" in text_of(browser.get("/onboarding/"))


def test_an_account_that_has_left_offers_no_way_that_leads_nowhere(
    world: World, sign_in: Callable[[Actor], Client]
) -> None:
    browser = sign_in(world.freelancer())
    ConnectedAccount.objects.update(provider_account_id="acct_gone")
    browser.get("/onboarding/return/")
    shown = text_of(browser.get("/onboarding/"))
    assert "This account was closed, or disconnected from this platform." in shown
    assert "Go on where you stopped" not in shown


@pytest.mark.parametrize(
    ("language", "words"), [("en", "You have asked for this too often"), ("ar", "طلبت هذا مرات كثيرة")]
)
def test_too_many_links_are_refused_in_words(
    world: World, sign_in: Callable[[Actor], Client], settings: Settings, language: str, words: str
) -> None:
    freelancer = world.freelancer()
    User.objects.filter(pk=freelancer.user_id).update(language=language)
    settings.CARD_CALLS_PER_USER = 1
    ProviderCall.objects.all().delete()
    browser = sign_in(freelancer)

    first, second = (browser.get("/onboarding/refresh/") for _ in range(2))

    assert first["Location"].startswith(world.sandbox.base_url)
    assert second["Location"] == "/onboarding/"
    assert words in text_of(browser.get("/onboarding/"))
