"""Paying in EGP on a phone, in Arabic, by a mobile wallet with its MPIN and a one-time code."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.browser.egypt import people
from tests.browser.egypt.conftest import OnPhone
from tests.browser.egypt.people import pounds
from tests.browser.egypt.system import EgyptSystem

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(system: EgyptSystem) -> Story:
    """A client and a freelancer with a task of 250.50 EGP to be paid."""
    begun = Story(system, price="250.50")
    system.query(
        "UPDATE users_user SET default_currency = 'EGP', language = 'ar' WHERE id IN (%s, %s)",
        *(begun.client.id, begun.freelancer.id),
    )
    begun.hire()
    return begun


def test_a_payment_that_was_stopped_at_the_code_is_made_by_wallet_afterwards(story: Story, on_phone: OnPhone) -> None:
    client = on_phone().sign_in(story.client.name)
    client.open(f"/tasks/{story.task}/")
    people.go_to_the_provider(client)
    people.give_wallet(client)
    client.press("إلغاء")
    client.sees("لم تتم الدفعة")
    people.fits(client)
    client.follow("حاول مجددًا")
    client.page.locator("main").get_by_role("link", name="ادفع").click()
    people.give_wallet(client)
    people.give_code(client)
    client.sees("مالك في الضمان")

    expect(client.page.locator(".hero-amount")).to_have_text(pounds(25_050))
    people.fits(client)
    paid = story.system.query(
        "SELECT state, route FROM payments_escrow WHERE agreement_id IN"
        " (SELECT agreement_id FROM marketplace_task WHERE id = %s)",
        story.task,
    )
    assert paid == [("funded", "platform")]


def test_a_card_that_was_saved_pays_again_with_one_press_and_is_removed(story: Story, on_phone: OnPhone) -> None:
    client = on_phone().sign_in(story.client.name)
    client.open(f"/tasks/{story.task}/")
    people.go_to_the_provider(client)
    people.give_card(client, save=True)
    people.give_code(client)
    client.sees("مالك في الضمان")

    story.hire()
    client.open(f"/tasks/{story.task}/")
    people.go_to_the_provider(client)
    client.follow("بطاقة بنكية")
    client.press("بطاقة محفوظة 2346")
    people.give_code(client)
    client.sees("مالك في الضمان")

    client.open("/profile/")
    client.page.locator("a[href='/profile/cards/']").click()
    client.sees("البطاقات المحفوظة")
    client.sees("للدفعات بعملة EGP.")
    expect(client.page.locator("li bdi.mono")).to_have_text("…2346")
    people.fits(client)
    client.follow("إزالة")
    people.fits(client)
    client.press("إزالة البطاقة")
    client.sees("أُزيلت البطاقة.")
    client.sees("لم تحفظ أي بطاقة.")
    people.fits(client)
    kept = story.system.query("SELECT count(*) FROM payments_cardtoken")
    assert kept == [(0,)]
