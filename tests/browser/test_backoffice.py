"""The staff at work: releasing an escrow and replaying a webhook, each with its reason."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.acceptance.system import eventually
from tests.browser.conftest import NewPerson
from tests.browser.person import Person
from tests.staff import hire

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(story: Story, new_person: NewPerson) -> Person:
    """Somebody of the finance staff, who has no part in the story."""
    other = Story(story.system)
    hire(story.system, other.client.name, "finance")
    return new_person().sign_in(other.client.name)


def test_staff_releases_an_escrow_and_leaves_a_reason(story: Story, staff: Person) -> None:
    story.to_work_done()
    staff.open("/backoffice/")
    staff.page.locator("input[name=q]").first.fill(story.escrow_id)
    staff.page.locator("input[name=q]").first.press("Enter")
    if "/find/" in staff.page.url:
        staff.page.locator("main a, #content a, .o-rows a").first.click()
    staff.follow("Release")
    staff.press("Release")
    expect(staff.page.get_by_label("Reason")).to_be_focused()
    staff.page.get_by_label("Reason").fill("The client does not answer, the work is right.")
    staff.press("Release")

    staff.sees(f"Released. {story.freelancer.name} was told.")
    assert story.escrow()["status"] == "released"
    noted = story.system.query(
        "SELECT count(*) FROM payments_auditevent WHERE note = 'The client does not answer, the work is right.'"
    )
    assert noted[0][0] >= 1


def test_staff_replays_a_webhook(story: Story, staff: Person) -> None:
    story.hire()
    story.fund()
    event = story.system.query("SELECT max(id) FROM webhooks_incomingevent WHERE state = 'processed'")[0][0]
    before = story.escrow()["timeline"]

    staff.open(f"/backoffice/webhooks/incomingevent/{event}/change/")
    staff.follow("Replay")
    staff.page.get_by_label("Reason").fill("To be sure.")
    staff.press("Replay")

    staff.sees("A worker processes it now.")
    staff.refreshed_until("processed")
    assert story.escrow()["timeline"] == before


def test_an_open_item_is_explained_by_two_people(story: Story, staff: Person, new_person: NewPerson) -> None:
    line = story.system.sandbox.control("POST", "lines", {"amount": -1_234, "description": "Not ours"})
    sql = "SELECT id FROM payments_statementline WHERE provider_line_id = %s AND state = %s"
    eventually(lambda: story.system.query(sql, line["id"], "open"), "the line to be an open item", seconds=240)
    number = story.system.query(sql, line["id"], "open")[0][0]
    address = f"/backoffice/payments/statementline/{number}/change/"

    staff.open("/backoffice/payments/reconciliation/")
    staff.sees("The platform at stripe")
    staff.open("/backoffice/payments/statementline/?state=open")
    staff.sees("−$12.34")
    staff.open(address)
    staff.follow("Explain")
    staff.page.get_by_label("What it was").select_option("platform_loss")
    staff.page.get_by_label("Reason").fill("Nobody knows what this was for.")
    staff.press("Explain")
    staff.sees("Nothing moves until a second person has approved it.")
    staff.open(address)
    staff.sees("waits for a second person")

    colleague = Story(story.system).client.name
    hire(story.system, colleague, "finance")
    second = new_person().sign_in(colleague)
    second.open("/backoffice/payments/approval/")
    second.page.locator("tr", has_text="Explanation of a statement line").locator("a").first.click()
    second.follow("Approve")
    second.page.get_by_label("Reason").fill("The provider confirmed it.")
    second.press("Approve")
    second.open(address)
    second.sees("Explained")
    assert story.system.query(sql, line["id"], "explained")


def test_people_who_are_not_staff_find_no_office(story: Story, new_person: NewPerson) -> None:
    client = new_person().sign_in(story.client.name)
    answer = client.page.goto("/backoffice/")

    assert answer is not None
    assert answer.status == 404
