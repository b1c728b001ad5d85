"""The whole story in two browsers, from registration to the payout."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.system import System
from tests.browser.conftest import NewPerson
from tests.browser.person import Person

pytestmark = pytest.mark.django_db


def hire(client: Person, freelancer: Person, title: str, price: str) -> None:
    """Post, apply, accept: both end at the task."""
    client.open("/")
    client.follow("Post a task")
    client.page.get_by_label("Title").fill(title)
    client.page.get_by_label("What is to be done").fill("Three drafts, then the final one as SVG.")
    client.page.get_by_label("Budget in USD").fill(price)
    client.press("Post the task")
    freelancer.follow("Tasks")
    freelancer.follow("Open tasks")
    freelancer.follow(title)
    freelancer.page.get_by_label("Why you").fill("I draw logos.")
    freelancer.press("Apply for this task")
    freelancer.sees("You applied.")
    client.page.reload()
    client.press(f"Accept {freelancer.name}")


def test_two_people_click_from_registration_to_money_in_the_bank(new_person: NewPerson, system: System) -> None:
    client = new_person().register("cleo", "hire people")
    freelancer = new_person().register("fred", "work for others")
    title = f"A logo for {client.name}"

    hire(client, freelancer, title, "1250.00")
    client.follow("MultiTask")
    client.press("Pay into escrow")
    client.give_card()
    client.sees("Your money is in escrow")
    client.follow("See the payment")
    expect(client.page.locator(".hero-amount")).to_have_text("$1,250.00")

    freelancer.follow("MultiTask")
    freelancer.follow("Tasks")
    freelancer.follow("My tasks")
    freelancer.follow(title)
    freelancer.follow("Deliver the work")
    freelancer.press("Deliver the work")
    freelancer.sees("Delivered. The client was asked to confirm.")

    client.page.reload()
    client.follow("Confirm and release $1,250.00")
    client.press("Confirm and release $1,250.00")
    client.sees("Confirmed and released.")

    freelancer.follow("Wallet")
    freelancer.sees("Pending")
    freelancer.follow("Set up payouts")
    freelancer.onboard()
    freelancer.follow("Go to your wallet")
    expect(freelancer.heading("Wallet")).to_be_visible()
    freelancer.refreshed_until("Withdraw USD")
    expect(freelancer.page.locator(".hero-amount")).to_have_text("$1,062.50")
    freelancer.follow("Withdraw USD")
    freelancer.page.locator(".with-button").get_by_role("link").click()
    freelancer.press("Continue")
    freelancer.press("Withdraw $1,062.50")
    freelancer.sees("Paid to your bank")

    paid = system.query("SELECT provider_account_id FROM payments_connectedaccount ORDER BY id DESC LIMIT 1")[0][0]
    assert system.sandbox.money()["bank_deposits"][paid] == {"usd": 106_250}
