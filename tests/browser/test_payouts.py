"""Withdrawing: a payout that fails and is tried again, and a connection that is lost on the way."""

import pytest
from playwright.sync_api import Route, expect

from tests.acceptance.story import Story
from tests.browser.conftest import NewPerson
from tests.browser.person import Person

pytestmark = pytest.mark.django_db
CLOSED_ACCOUNT = "000111111113"


def withdraw(person: Person, amount: str) -> None:
    """Ask for it up to the page that confirms."""
    person.open("/wallet/withdraw/")
    person.page.get_by_label("Amount").fill(amount)
    person.press("Continue")
    expect(person.heading("Confirm the withdrawal")).to_be_visible()


def withdrawals(story: Story) -> list[tuple[int, str]]:
    return story.system.query(
        "SELECT amount_minor, state FROM payments_withdrawal WHERE user_id = %s ORDER BY id", story.freelancer.id
    )


def test_a_failed_payout_is_read_and_retried(story: Story, new_person: NewPerson) -> None:
    story.hire()
    freelancer = new_person().sign_in(story.freelancer.name)
    freelancer.open("/onboarding/")
    freelancer.onboard(account_number=CLOSED_ACCOUNT)
    story.fund()
    story.work()
    story.release()
    story.until_available()

    withdraw(freelancer, "85.00")
    freelancer.press("Withdraw $85.00")
    freelancer.sees("It did not reach your bank")
    freelancer.sees("Nothing is lost: the money is available in your wallet again.")
    freelancer.follow("Check your payout account")
    freelancer.press("Change your bank details")
    freelancer.page.get_by_label("Bank account number").fill("000123456789")
    freelancer.press("Submit")
    freelancer.sees("Ready for payouts")

    withdraw(freelancer, "85.00")
    freelancer.press("Withdraw $85.00")
    freelancer.sees("Paid to your bank")
    assert [state for _, state in withdrawals(story)] == ["failed", "completed"]


def test_a_connection_lost_while_withdrawing_leads_to_one_withdrawal(story: Story, new_person: NewPerson) -> None:
    story.to_work_done()
    story.release()
    story.until_available()
    freelancer = new_person().sign_in(story.freelancer.name)
    withdraw(freelancer, "40.00")
    url, other_tab = freelancer.page.url, freelancer.context.new_page()
    other_tab.goto(url)

    def lose_the_answer(route: Route) -> None:
        route.fetch(max_redirects=0)
        route.abort("connectionreset")

    freelancer.page.route("**/wallet/withdraw/confirm/", lose_the_answer)
    with freelancer.page.expect_event("requestfailed"):
        freelancer.page.get_by_role("button", name="Withdraw $40.00").click(no_wait_after=True)
    freelancer.page.unroute("**/wallet/withdraw/confirm/")
    freelancer.forgive("ERR_CONNECTION_RESET")

    freelancer.open(url)
    freelancer.sees("This withdrawal was asked for already. It is not asked for twice.")
    other_tab.get_by_role("button", name="Withdraw $40.00").click()
    expect(other_tab).to_have_url(freelancer.page.url)
    freelancer.sees("Paid to your bank")
    assert withdrawals(story) == [(4000, "completed")]
