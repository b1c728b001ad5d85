"""Withdrawing: a payout that fails and is tried again, and a connection that is lost on the way."""

import pytest
from playwright.sync_api import Route, expect

from tests.acceptance.story import Story
from tests.acceptance.system import eventually
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
    freelancer.page.get_by_label("New bank account number").fill("000123456789")
    freelancer.page.get_by_label("Routing number").fill("110000000")
    freelancer.page.get_by_label("Account holder").fill("Jenny Rosen")
    freelancer.press("Change bank account")
    freelancer.sees("ending in 6789")

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


def test_a_rejected_account_is_replaced_and_paid_out(story: Story, new_person: NewPerson) -> None:
    story.hire()
    freelancer = new_person().sign_in(story.freelancer.name)
    freelancer.open("/onboarding/")
    freelancer.onboard()
    story.fund()
    story.work()
    story.release()
    story.until_available()
    sandbox, first = story.system.sandbox, _account(story)
    sandbox.control("POST", f"accounts/{first}", {"disabled_reason": "rejected.other"})

    freelancer.open("/onboarding/")
    freelancer.refreshed_until("Rejected for good")
    freelancer.sees("That is final: this account cannot be used again.")
    expect(freelancer.page.get_by_role("button", name="Go on where you stopped")).to_have_count(0)
    freelancer.page.get_by_label("Country of your bank").select_option("US")
    freelancer.page.get_by_label("Currency of your bank account").select_option("USD")
    freelancer.press("Open a new payout account")
    freelancer.press("Submit")
    freelancer.sees("Ready for payouts")
    assert _account(story) != first

    # The money is brought to the new account by a job that runs every minute.
    eventually(lambda: _held_in(story, first) == 0, "the money to leave the former account", seconds=150)
    eventually(lambda: _held_in(story, _account(story)) == 8_500, "the money to reach the new account")
    sandbox.settle(_account(story))
    # The provider has the money before the books have heard of it.
    story.until_available()
    withdraw(freelancer, "85.00")
    freelancer.press("Withdraw $85.00")
    freelancer.sees("Paid to your bank")


def test_a_closed_account_is_replaced_by_a_successor(story: Story, new_person: NewPerson) -> None:
    story.hire()
    freelancer = new_person().sign_in(story.freelancer.name)
    freelancer.open("/onboarding/")
    freelancer.onboard()
    sandbox, first = story.system.sandbox, _account(story)
    sandbox.control("POST", f"accounts/{first}/deauthorize")

    freelancer.open("/onboarding/")
    freelancer.refreshed_until("Closed for good")
    freelancer.open("/")
    freelancer.sees("Your payout account has ended for good: open a new one")
    freelancer.follow("Open one")
    freelancer.page.get_by_label("Country of your bank").select_option("US")
    freelancer.page.get_by_label("Currency of your bank account").select_option("USD")
    freelancer.press("Open a new payout account")
    freelancer.press("Submit")
    freelancer.sees("Ready for payouts")
    assert _account(story) != first

    # What is earned from now on reaches the successor.
    story.fund()
    story.work()
    story.release()
    story.until_available()
    withdraw(freelancer, "85.00")
    freelancer.press("Withdraw $85.00")
    freelancer.sees("Paid to your bank")
    assert _held_in(story, first) == 0


def test_a_withdrawal_is_cancelled_while_the_money_is_here(story: Story, new_person: NewPerson) -> None:
    story.to_work_done()
    story.release()
    story.until_available()
    freelancer = new_person().sign_in(story.freelancer.name)
    # The provider refuses calls for payouts for a while, so the money does not leave.
    sandbox = story.system.sandbox
    sandbox.add_fault("rate_limit", method="POST", path="/v1/payouts")
    try:
        withdraw(freelancer, "30.00")
        freelancer.press("Withdraw $30.00")
        freelancer.follow("Cancel the withdrawal")
        freelancer.sees("You can withdraw the money again at any time.")
        freelancer.press("Cancel the withdrawal")
        freelancer.sees("The money did not leave. It is available in your wallet again.")
    finally:
        sandbox.clear_faults()
    assert withdrawals(story) == [(3000, "cancelled")]
    freelancer.open("/wallet/")
    freelancer.sees("$85.00")


def _account(story: Story) -> str:
    """The freelancer's current account at the provider."""
    sql = (
        "SELECT provider_account_id FROM payments_connectedaccount"
        " WHERE user_id = %s AND retired_at IS NULL AND provider_account_id IS NOT NULL"
    )
    return str(story.system.query(sql, story.freelancer.id)[0][0])


def _held_in(story: Story, account: str) -> int:
    """What lies in an account at the provider, in minor units."""
    columns = story.system.sandbox.money()["accounts"].get(account, {})
    return sum(columns.get(name, {}).get("usd", 0) for name in ("available", "pending"))
