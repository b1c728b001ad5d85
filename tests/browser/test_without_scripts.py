"""A browser without scripts: everything works except entering a card, and that page says so."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.browser.conftest import NewPerson

pytestmark = pytest.mark.django_db


def test_money_reaches_the_bank_without_scripts(story: Story, new_person: NewPerson) -> None:
    story.hire()
    story.onboard()
    story.fund()
    freelancer = new_person(java_script_enabled=False).sign_in(story.freelancer.name)
    client = new_person(java_script_enabled=False).sign_in(story.client.name)

    freelancer.follow("Deliver")
    freelancer.follow("Deliver the work")
    freelancer.sees("Without an answer the money is released to you automatically, 14 days after the delivery.")
    freelancer.press("Deliver the work")
    freelancer.sees("Delivered. The client was asked to confirm.")
    client.open("/")
    client.follow("Confirm and release")
    client.follow("Confirm and release $100.00")
    client.sees("This cannot be undone")
    client.press("Confirm and release $100.00")
    client.sees("Confirmed and released.")
    story.until_available()
    freelancer.open("/wallet/")
    freelancer.follow("Withdraw USD")
    freelancer.page.locator(".with-button").get_by_role("link").click()
    freelancer.press("Continue")
    freelancer.press("Withdraw $85.00")
    freelancer.sees("Your withdrawal has begun.")
    freelancer.refreshed_until("Paid to your bank")


def test_choices_have_a_button_where_nothing_sends_them(story: Story, new_person: NewPerson) -> None:
    reader = new_person(java_script_enabled=False).sign_in(story.client.name)
    reader.page.get_by_label("Language").select_option("ar")
    reader.page.locator("footer button").click()
    expect(reader.page.locator("html")).to_have_attribute("dir", "rtl")


def test_paying_says_that_it_needs_scripts(story: Story, new_person: NewPerson) -> None:
    story.hire()
    client = new_person(java_script_enabled=False).sign_in(story.client.name)
    client.press("Pay into escrow")
    expect(client.page.locator("noscript .note")).to_contain_text("Paying by card needs JavaScript")
    expect(client.page.locator("noscript .note")).to_be_visible()
    expect(client.page.locator("#pay")).to_be_hidden()
    expect(client.page.get_by_text("Loading the payment form")).to_be_hidden()
