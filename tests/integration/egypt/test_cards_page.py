"""The page of saved cards: what a client sees of them, puts first and removes."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from multitask.payments.funding import saved_methods
from multitask.payments.models import CardToken, Customer
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.egypt_world import EgyptWorld
from tests.integration.egypt.test_saved_cards import VISA, offered, saved
from tests.integration.pages.reading import text_of
from tests.payments_world import user_id

SignIn = Callable[[Actor], Client]
CARDS = "/profile/cards/"


def test_a_client_sees_puts_first_and_removes_cards(world: EgyptWorld, client: Client, sign_in: SignIn) -> None:
    payer = world.client()
    browser = sign_in(payer)
    assert "You have not saved any card." in text_of(browser.get(CARDS))
    first, second = saved(world, client, payer), saved(world, client, payer, VISA)
    assert re.search(r"Saved cards 2 cards", text_of(browser.get("/profile/")))

    page = text_of(browser.get(CARDS))
    assert page.index("Visa …1111") < page.index("MasterCard …2346")
    assert page.count("For payments in EGP.") == 2
    assert "Default" not in page
    done = browser.post(f"{CARDS}{first.pk}/first/", follow=True)
    assert "This card is your default now." in text_of(done)
    assert text_of(done).count(" Default ") == 1
    assert offered(world, payer) == ["2346", "1111"]

    asked = browser.get(f"{CARDS}{second.pk}/remove/")
    assert "Visa, last digits 1111" in text_of(asked)
    assert CardToken.objects.count() == 2
    version = re.findall(r'name="confirmed" value="([^"]+)"', asked.content.decode())[0]
    for _ in range(2):
        gone = browser.post(f"{CARDS}{second.pk}/remove/", {"confirmed": version}, follow=True)
        assert "The card was removed." in text_of(gone)
    assert "1111" not in text_of(gone)
    assert list(saved_methods.owned(payer)) == [first]
    assert offered(world, payer) == ["2346"]


def test_the_page_is_in_arabic_too(world: EgyptWorld, client: Client, sign_in: SignIn) -> None:
    payer = world.client()
    saved(world, client, payer)
    User.objects.filter(pk=user_id(payer)).update(language="ar")
    page = text_of(sign_in(payer).get(CARDS))
    assert "البطاقات المحفوظة" in page
    assert "…2346" in page
    assert "Saved cards" not in page


@pytest.mark.parametrize("step", ["first", "remove"])
def test_nobody_elses_card_is_shown_or_changed(world: EgyptWorld, client: Client, sign_in: SignIn, step: str) -> None:
    method = saved(world, client, world.client())
    stranger = sign_in(world.client())
    assert "2346" not in text_of(stranger.get(CARDS))
    answer = stranger.post(f"{CARDS}{method.pk}/{step}/", {"confirmed": str(method.pk)}, follow=True)
    assert "2346" not in text_of(answer)
    assert CardToken.objects.count() == 1
    assert Customer.objects.get(pk=method.customer_id).default_method_id == ""


def test_without_signing_in_there_is_no_page(world: EgyptWorld, client: Client) -> None:
    assert client.get(CARDS).status_code == 302
    assert client.get(f"{CARDS}1/remove/").status_code == 302
    assert client.post(f"{CARDS}1/first/").status_code == 302


def test_a_freelancer_without_cards_is_not_led_there(world: EgyptWorld, sign_in: SignIn) -> None:
    browser = sign_in(world.freelancer(onboarded=False))
    assert CARDS not in browser.get("/profile/").content.decode()
    assert browser.get(CARDS).status_code == 200
    assert browser.get(f"{CARDS}{10**30}/remove/").status_code == 404
