"""Paying: declines, 3-D Secure, a tab that was closed, two tabs at once."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.acceptance.system import System
from tests.browser.conftest import NewPerson
from tests.browser.person import Person

pytestmark = pytest.mark.django_db
DECLINED = "4000000000000002"
AUTHENTICATED = "4000002760003184"
FUNDED = "Your money is in escrow"


@pytest.fixture
def client(story: Story, new_person: NewPerson) -> Person:
    """The client of a task that has been given away, before the form for the card."""
    story.hire()
    client = new_person().sign_in(story.client.name)
    client.press("Pay into escrow")
    return client


def test_a_declined_card_is_told_and_another_one_pays(client: Person) -> None:
    client.give_card(DECLINED)
    expect(client.page.get_by_role("alert").filter(has_text="declined")).to_be_visible()

    client.give_card()
    client.sees(FUNDED)


def test_a_payment_passes_3_d_secure_or_fails_it(client: Person) -> None:
    client.give_card(AUTHENTICATED)
    client.authenticate(passed=False)
    expect(client.page.locator("#checkout-error")).to_be_visible()

    client.page.locator("#pay").click()
    client.authenticate()
    client.sees(FUNDED)


def test_an_abandoned_payment_goes_on_where_it_was_left(client: Person, story: Story) -> None:
    client.give_card(AUTHENTICATED)
    expect(client.page.locator("dialog")).to_be_visible()
    client.page.close()

    client.page = client.context.new_page()
    client.open("/")
    client.press("Pay into escrow")
    client.give_card()
    client.sees(FUNDED)
    assert payments_of(story) == [("succeeded",)]


def test_paying_in_two_tabs_charges_once(client: Person, story: Story, system: System) -> None:
    first, second = client.page, client.context.new_page()
    second.goto(first.url)
    expect(second.frame_locator("#payment-element iframe").get_by_label("Card number")).to_be_visible()

    client.give_card()
    client.sees(FUNDED)
    client.page = second
    client.give_card()
    client.sees(FUNDED)

    assert payments_of(story) == [("succeeded",)]
    system.settle_down()
    assert len([charge for charge in system.sandbox.money()["charges"] if _is_of(charge, story)]) == 1


def payments_of(story: Story) -> list[tuple[str]]:
    statement = """
        SELECT payment.state FROM payments_payment payment
          JOIN payments_escrow escrow ON escrow.id = payment.escrow_id
          JOIN marketplace_task task ON task.agreement_id = escrow.agreement_id
         WHERE task.id = %s
    """
    return story.system.query(statement, story.task)


def _is_of(charge: dict[str, dict[str, str]], story: Story) -> bool:
    ours = story.system.query(
        "SELECT payment.id FROM payments_payment payment JOIN payments_escrow escrow"
        " ON escrow.id = payment.escrow_id JOIN marketplace_task task"
        " ON task.agreement_id = escrow.agreement_id WHERE task.id = %s",
        story.task,
    )
    return charge["metadata"].get("reference", "").split(":")[1:2] == [str(ours[0][0])]
