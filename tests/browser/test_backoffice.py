"""The staff at work: releasing an escrow and replaying a webhook, each with its reason."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
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


def test_people_who_are_not_staff_find_no_office(story: Story, new_person: NewPerson) -> None:
    client = new_person().sign_in(story.client.name)
    answer = client.page.goto("/backoffice/")

    assert answer is not None
    assert answer.status == 404
