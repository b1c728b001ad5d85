"""The pages of a payout account: its place is asked first, its end is said, its replacement is offered."""

from collections.abc import Callable

import pytest
from django.test import Client

from multitask.payments.models import ConnectedAccount
from multitask.payments.payouts import onboarding
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.integration.pages.reading import text_of
from tests.payments_world import World, dollars, user_id
from tests.payout_accounts import succeed

SignIn = Callable[[Actor], Client]
REJECTED = {"rejection": "fraud", "transfers_enabled": False, "payouts_enabled": False}


def end(actor: Actor, **state: object) -> None:
    ConnectedAccount.objects.filter(user_id=user_id(actor)).update(**(state or REJECTED))


def test_country_and_currency_are_asked_before_the_account_is_made(world: World, sign_in: SignIn) -> None:
    freelancer = world.freelancer(onboarded=False)
    User.objects.filter(pk=freelancer.user_id).update(country="DE", default_currency="EUR")
    browser = sign_in(freelancer)
    shown = browser.get("/onboarding/").content.decode()
    assert '<option value="DE" selected>Germany</option>' in shown
    assert '<option value="EUR" selected>EUR · Euro</option>' in shown
    assert "Egypt" not in shown
    assert 'value="JPY"' not in shown

    for wrong in ({}, {"country": "DE"}, {"country": "EG", "currency": "EUR"}, {"country": "DE", "currency": "JPY"}):
        assert browser.post("/onboarding/start/", wrong).status_code == 422
    assert not ConnectedAccount.objects.exists()

    answer = browser.post("/onboarding/start/", {"country": "AT", "currency": "EUR"})
    assert answer["Location"].startswith(world.sandbox.base_url)
    account = world.account(freelancer)
    assert (account.country, account.currency) == ("AT", "EUR")
    assert "Account in Austria, paid in EUR." in text_of(browser.get("/onboarding/"))


def test_a_profile_in_a_country_without_payouts_has_to_choose(world: World, sign_in: SignIn) -> None:
    freelancer = world.freelancer(onboarded=False)
    User.objects.filter(pk=freelancer.user_id).update(country="EG", default_currency="EGP")
    shown = sign_in(freelancer).get("/onboarding/").content.decode()
    assert '<option value="" selected>–</option>' in shown


def test_a_wrong_country_is_replaced_on_its_page(world: World, sign_in: SignIn) -> None:
    freelancer = world.freelancer()
    browser = sign_in(freelancer)
    assert "Choose another country or currency" in text_of(browser.get("/onboarding/"))
    assert "Nothing was paid to it yet" in text_of(browser.get("/onboarding/replace/"))
    same = browser.post("/onboarding/replace/", {"country": "US", "currency": "USD"})
    assert same.status_code == 422
    assert "You have a payout account already." in text_of(same)

    answer = browser.post("/onboarding/replace/", {"country": "DE", "currency": "EUR"})
    assert answer["Location"].startswith(world.sandbox.base_url)
    world.work()
    assert world.account(freelancer).country == "DE"
    assert world.former_account(freelancer).closed


def test_an_account_that_was_paid_offers_no_replacement(world: World, sign_in: SignIn) -> None:
    job = world.released()
    browser = sign_in(job.freelancer)
    assert "Choose another country or currency" not in text_of(browser.get("/onboarding/"))
    assert browser.get("/onboarding/replace/")["Location"] == "/onboarding/"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (REJECTED, "The payment provider has rejected this account because it suspects fraud."),
        ({"closed": True}, "This account was closed, or disconnected from this platform."),
    ],
)
def test_an_account_that_ended_says_so_everywhere_and_offers_another(
    world: World, sign_in: SignIn, state: dict[str, object], words: str
) -> None:
    job = world.completed()
    end(job.freelancer, **state)
    world.release(job)
    world.work()
    browser = sign_in(job.freelancer)
    shown = text_of(browser.get("/onboarding/"))
    assert words in shown
    assert "final" in shown
    assert "Open a new payout account" in shown
    for useless in ("Go on where you stopped", "Change your bank details", "Finish your payout account"):
        assert useless not in shown
    wallet = text_of(browser.get("/wallet/"))
    assert "Waits for a new payout account: yours has ended for good." in wallet
    assert "Open a new payout account" in wallet
    assert "Finish" not in wallet
    assert "Your payout account has ended for good: open a new one" in text_of(browser.get("/"))
    assert "Your payout account has ended for good. Open a new one." in text_of(
        browser.post("/onboarding/dashboard/", follow=True)
    )

    answer = browser.post("/onboarding/start/", {"country": "US", "currency": "USD"})
    assert answer["Location"].startswith(world.sandbox.base_url)
    assert world.account(job.freelancer).pk != world.former_account(job.freelancer).pk
    assert "Something is still missing" in text_of(browser.get("/onboarding/"))


def test_money_in_a_former_account_is_named_and_not_offered(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    end(job.freelancer)
    world.create_account(job.freelancer)
    world.fill_in(job.freelancer)
    onboarding.refresh(user_id=user_id(job.freelancer), now=world.now)
    browser = sign_in(job.freelancer)
    assert "$85.00 of your available balance is being brought from your former payout account" in text_of(
        browser.get("/wallet/")
    )
    asked = browser.get("/wallet/withdraw/confirm/", {"amount": "10.00", "currency": "USD"})
    assert asked.status_code == 422


def test_a_paused_account_has_nothing_to_press(world: World, sign_in: SignIn) -> None:
    freelancer = world.freelancer()
    end(freelancer, transfers_enabled=False, payouts_enabled=False, disabled_reason="under_review")
    browser = sign_in(freelancer)
    shown = text_of(browser.get("/onboarding/"))
    assert "Paused by the provider" in shown
    assert "There is nothing for you to do now." in shown
    assert "Go on where you stopped" not in shown
    assert "See your payout account" in text_of(browser.get("/wallet/"))
    assert "Set up your payouts" not in text_of(browser.get("/"))


def test_details_that_are_due_again_are_listed_while_payouts_work(world: World, sign_in: SignIn) -> None:
    freelancer = world.freelancer()
    end(freelancer, requirements={"currently_due": ["individual.verification.document"]})
    browser = sign_in(freelancer)
    shown = text_of(browser.get("/onboarding/"))
    assert "payouts may stop if they do not come" in shown
    assert "A photo of an identity document" in shown
    assert "The payment provider asks for more details" in text_of(browser.get("/"))


def test_bank_details_are_changed_behind_the_login_link(world: World, sign_in: SignIn) -> None:
    freelancer = world.freelancer()
    answer = sign_in(freelancer).post("/onboarding/dashboard/")
    assert answer["Location"].startswith(f"{world.sandbox.base_url}/express/")


def test_the_staff_sees_both_accounts(world: World, sign_in: SignIn) -> None:
    job = world.settled(dollars("20.00"))
    end(job.freelancer)
    world.create_account(job.freelancer)
    former, current = world.former_account(job.freelancer), world.account(job.freelancer)
    browser = sign_in(world.staff("support"))
    listed = text_of(browser.get("/backoffice/payments/connectedaccount/"))
    assert "Replaced" in listed
    assert str(current) in text_of(browser.get(f"/backoffice/payments/connectedaccount/{former.pk}/change/"))
    assert str(former) in text_of(browser.get(f"/backoffice/payments/connectedaccount/{current.pk}/change/"))


def leave(world: World, actor: Actor) -> None:
    """The freelancer ends the platform's access to the account."""
    world.receive(world.deauthorized(str(world.account(actor).provider_account_id)))
    world.work()


def test_money_in_a_closed_account_is_not_said_to_wait(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    leave(world, job.freelancer)
    browser = sign_in(job.freelancer)
    shown = text_of(browser.get("/onboarding/"))
    assert "Money that lies in the closed account cannot be reached from this platform" in shown
    assert "what you earned waits for it" not in shown
    told = "$85.00 of your available balance lies in your payout account, which is closed."
    assert told in text_of(browser.get("/wallet/"))
    form = text_of(browser.get("/wallet/withdraw/?currency=USD"))
    assert told in form
    assert "Open a new payout account" in form
    assert "Set up payouts" not in form
    assert "$0.00" not in form


def test_pending_money_in_a_closed_account_waits_for_the_staff(world: World, sign_in: SignIn) -> None:
    job = world.released()
    leave(world, job.freelancer)
    browser = sign_in(job.freelancer)
    words = "Lies in a payout account of yours that is closed; our staff looks at it."
    assert words in text_of(browser.get("/wallet/"))
    succeed(world, job.freelancer)
    assert words in text_of(browser.get("/wallet/"))


def test_the_withdrawal_form_offers_no_amount_of_zero(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    leave(world, job.freelancer)
    succeed(world, job.freelancer)
    browser = sign_in(job.freelancer)
    form = text_of(browser.get("/wallet/withdraw/?currency=USD"))
    assert "$85.00 of your available balance lies in your former payout account, which is closed." in form
    assert "Nothing can be withdrawn from your present payout account yet." in form
    assert "$0.00" not in form
    world.settle(world.released(dollars("20.00"), freelancer=job.freelancer))
    assert "All : $17.00" in text_of(browser.get("/wallet/withdraw/?currency=USD"))


def test_the_staff_sees_money_in_closed_accounts(world: World, sign_in: SignIn) -> None:
    job, other = world.settled(), world.settled()
    left, unused = world.account(job.freelancer), world.freelancer()
    browser = sign_in(world.staff())
    leave(world, unused)
    assert "Money in closed payout accounts" not in text_of(browser.get("/backoffice/"))
    leave(world, job.freelancer)
    assert "Money in closed payout accounts" in text_of(browser.get("/backoffice/"))
    listed = text_of(browser.get("/backoffice/payments/connectedaccount/?waits=closed"))
    assert str(left) in listed
    assert str(world.account(other.freelancer)) not in listed
    page = text_of(browser.get(f"/backoffice/payments/connectedaccount/{left.pk}/change/"))
    assert "This account is closed with money in it." in page
