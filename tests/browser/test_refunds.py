"""Refund requests refused and accepted, and pages that have been overtaken."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.browser.conftest import NewPerson
from tests.browser.person import Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def both(story: Story, new_person: NewPerson) -> tuple[Person, Person]:
    """The client and the freelancer of work under way, each at the page of its payment."""
    story.hire()
    story.fund()
    story.freelancer.post(f"/api/tasks/{story.task}/start/")
    client, freelancer = new_person().sign_in(story.client.name), new_person().sign_in(story.freelancer.name)
    for person in (client, freelancer):
        person.open(f"/tasks/{story.task}/payment/")
    return client, freelancer


def ask_back(client: Person, amount: str) -> None:
    client.page.get_by_text("Ask for a refund").click()
    form = client.page.locator("details", has_text="Ask for a refund")
    form.get_by_label("Amount").fill(amount)
    form.get_by_label("Reason").select_option("not_as_agreed")
    form.get_by_label("More about it").fill("It is not round.")
    client.press("Ask for the refund")


def test_a_refused_refund_becomes_a_dispute(both: tuple[Person, Person]) -> None:
    client, freelancer = both
    ask_back(client, "")
    client.sees("The freelancer was asked.")

    freelancer.page.reload()
    freelancer.sees("It is not round.")
    freelancer.page.get_by_label("Your answer in words").fill("It is as round as can be.")
    freelancer.press("Refuse, and let staff decide")

    expect(freelancer.page.locator(".head .badge")).to_have_text("In dispute")
    client.page.reload()
    client.sees("It is as round as can be.")


def test_an_accepted_refund_goes_back_to_the_card(both: tuple[Person, Person], story: Story) -> None:
    client, freelancer = both
    ask_back(client, "25.00")
    client.sees("The freelancer was asked.")
    freelancer.page.reload()
    freelancer.press("Agree to the refund")
    freelancer.sees("This cannot be undone")
    freelancer.press("Agree and refund $25.00")
    freelancer.sees("You agreed.")

    freelancer.refreshed_until("Refunded to the client")
    expect(freelancer.page.locator(".where").get_by_text("$25.00")).to_be_visible()
    assert story.escrow()["refunded_amount"] == "25.00"


def test_the_freelancer_sees_what_a_refund_does_before_it_is_made(both: tuple[Person, Person], story: Story) -> None:
    _, freelancer = both
    freelancer.page.get_by_text("Refund the client").click()
    freelancer.press("Refund")
    freelancer.sees("Nothing is left in escrow")
    assert story.escrow()["status"] == "funded"
    freelancer.press("Refund $100.00")
    freelancer.sees("The refund is on its way.")


def test_a_wrong_amount_is_told_beside_the_field_and_kept(both: tuple[Person, Person], story: Story) -> None:
    client, _ = both
    ask_back(client, "1,000.001")

    field = client.page.locator("details[open]").get_by_label("Amount")
    expect(field).to_have_value("1,000.001")
    expect(field).to_have_attribute("aria-invalid", "true")
    told = field.get_attribute("aria-describedby")
    assert told
    expect(client.page.locator(f"#{told.split()[-1]}")).not_to_be_empty()
    assert story.escrow()["refunded_amount"] == "0.00"


def test_a_page_that_was_overtaken_says_so(story: Story, new_person: NewPerson) -> None:
    story.to_work_done()
    client = new_person().sign_in(story.client.name)
    client.open(f"/tasks/{story.task}/payment/")
    story.release()

    client.follow("Release $100.00")

    client.sees("This has been done already.")
    expect(client.page.get_by_role("link", name="Release")).to_have_count(0)


def test_a_confirmation_that_was_overtaken_by_ones_own_release_says_that_it_is_done(
    story: Story, new_person: NewPerson
) -> None:
    story.to_work_done()
    client = new_person().sign_in(story.client.name)
    client.open(f"/tasks/{story.task}/payment/release/")
    story.release()

    client.press("Release $100.00")

    client.sees("was told.")
    expect(client.page.get_by_role("heading", name="Payment", exact=True)).to_be_visible()


def test_the_freelancer_gives_back_what_was_released(story: Story, new_person: NewPerson) -> None:
    story.to_work_done()
    story.release()
    freelancer = new_person().sign_in(story.freelancer.name)
    freelancer.open(f"/tasks/{story.task}/payment/")
    freelancer.page.locator("summary", has_text="Give money back").click()
    form = freelancer.page.locator("details", has_text="Give money back")
    form.get_by_label("Amount").fill("40.00")
    form.get_by_label("Reason").select_option("agreed")
    form.get_by_role("button", name="Give money back").click()
    freelancer.sees("From your pending or available money of this task")
    freelancer.sees("$34.00")
    assert story.escrow()["returned_amount"] == "0.00"
    freelancer.press("Give $40.00 back")
    freelancer.sees("The refund is on its way.")

    freelancer.sees("Given back to the client after the release")
    assert story.escrow()["returned_amount"] == "40.00"
    assert story.escrow()["allowed_actions"] == []
    client = new_person().sign_in(story.client.name)
    client.open(f"/tasks/{story.task}/payment/")
    expect(client.page.locator(".where").get_by_text("$40.00")).to_be_visible()
