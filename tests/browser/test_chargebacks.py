"""Chargebacks in the back office: one answered with evidence and won, one lost and booked."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.story import Story
from tests.browser.conftest import NewPerson
from tests.browser.person import Person
from tests.staff import hire

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7 the agreement"


@pytest.fixture
def staff(story: Story, new_person: NewPerson) -> Person:
    """Somebody of the finance staff, who has no part in the story."""
    other = Story(story.system)
    hire(story.system, other.client.name, "finance")
    return new_person().sign_in(other.client.name)


def contest(story: Story) -> str:
    """The cardholder's bank contests the payment; answers the id of its dispute."""
    payment = story.escrow()["stripe_payment_intent_id"]
    rows = story.system.query(
        f"SELECT provider_collection_id FROM payments_payment WHERE provider_payment_id = '{payment}'"
    )
    return str(story.system.sandbox.control("POST", "disputes", {"charge": rows[0][0]})["id"])


def open_chargeback(staff: Person, dispute: str, state: str) -> None:
    """Open the chargeback's page from the list, once it is in this state."""
    staff.open("/backoffice/payments/chargeback/")
    staff.refreshed_until(dispute)
    row = staff.page.locator("tr", has_text=dispute)
    row.locator("a").first.click()
    staff.refreshed_until(state)


def test_a_chargeback_is_answered_with_evidence_and_won(story: Story, staff: Person, new_person: NewPerson) -> None:
    story.hire()
    story.fund()
    story.freelancer.post(f"/api/tasks/{story.task}/start/")
    freelancer = new_person().sign_in(story.freelancer.name)
    dispute = contest(story)
    open_chargeback(staff, dispute, "Waits for our answer")
    freelancer.open("/")
    freelancer.sees("Do not work on this: the cardholder's bank contests the payment")
    freelancer.follow("See what happens")
    freelancer.sees("Do not work on this for now.")

    staff.follow("Edit the evidence")
    staff.page.get_by_label("Anything else").fill("winning_evidence")
    staff.press("Edit the evidence")
    staff.sees("The evidence is saved.")
    staff.follow("Add a file")
    staff.page.get_by_label("What the file shows").select_option("signature")
    agreement = {"name": "agreement.pdf", "mimeType": "application/pdf", "buffer": PDF + b"0" * 2_000_000}
    staff.page.get_by_label("File", exact=True).set_input_files(agreement)  # type: ignore[arg-type]
    staff.press("Add a file")
    staff.sees("The file is added.")
    staff.sees("agreement.pdf")
    staff.follow("Submit to the bank")
    staff.page.get_by_label("Reason").fill("Everything is in it.")
    staff.press("Submit to the bank")
    staff.sees("The evidence is on its way to the bank.")
    staff.refreshed_until("The bank has had our evidence since")

    story.system.sandbox.advance(1, wait=False)
    staff.refreshed_until("Won")
    freelancer.open("/")
    freelancer.sees("The money is in escrow: do the work and deliver it")
    assert story.escrow()["chargebacks"][0]["status"] == "won"


def test_a_chargeback_is_lost_and_booked(story: Story, staff: Person, new_person: NewPerson) -> None:
    story.hire()
    story.fund()
    dispute = contest(story)
    story.system.sandbox.control("POST", f"disputes/{dispute}", {"outcome": "lost"})
    open_chargeback(staff, dispute, "Lost")
    staff.sees("What is left in escrow")
    staff.follow("Book the loss")
    staff.sees("Total loss")
    staff.page.get_by_label("Reason").fill("The bank has decided.")
    staff.press("Book the loss")
    staff.sees("The loss is booked.")
    staff.sees("The booked loss")

    client = new_person().sign_in(story.client.name)
    client.open(f"/tasks/{story.task}/payment/")
    expect(client.page.locator(".head .badge")).to_have_text("Charged back")
    client.sees("Taken back by the client's bank")
    assert story.escrow()["status"] == "charged_back"
