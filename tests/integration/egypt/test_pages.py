"""The pages of the platform route: paying by redirect, the wallet, withdrawing, and withdrawals that wait or fail."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from multitask.marketplace import applications, tasks
from multitask.payments.models import Disbursement, Withdrawal
from multitask.users.actor import Actor
from multitask.web.pages.funding.checkout import LATE_DECLINE_SECONDS
from tests.egypt_world import FAILS, SUCCEEDS, EgyptWorld, disbursement_of, pounds
from tests.integration.egypt.test_cancelling import LIFETIME, backdate
from tests.integration.egypt.test_where import identified
from tests.integration.pages.reading import text_of
from tests.payments_world import user_id

SignIn = Callable[[Actor], Client]
WAITING = "We are waiting for the confirmation"


def test_the_checkout_leads_to_the_page_of_the_provider_and_back(world: EgyptWorld, sign_in: SignIn) -> None:
    job = world.hired(pounds("1000.00"))
    browser = sign_in(job.client)
    begun = browser.post(f"/tasks/{job.task_id}/pay/begin/", follow=True)
    assert "You pay on the payment provider's page" in text_of(begun).replace("&#x27;", "'")
    links = re.findall(r'class="button" href="([^"]+)"', begun.content.decode())
    assert any("/unifiedcheckout/" in link for link in links)

    query = world.pay_there(job)
    back = browser.get("/pay/returned/paymob/", query, follow=True)
    assert WAITING in text_of(back)
    assert job.escrow.state == "pending_payment"

    world.learn_of_payment(job)
    again = browser.get("/pay/returned/paymob/", query, follow=True)
    assert "Your money is in escrow" in text_of(again)


def test_the_checkout_of_an_expired_page_leads_to_another_payment(world: EgyptWorld, sign_in: SignIn) -> None:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    first = job.payment
    backdate(job, LIFETIME + timedelta(minutes=1))
    browser = sign_in(job.client)

    shown = browser.get(f"/tasks/{job.task_id}/pay/", follow=True).content.decode()
    assert first.payer_token.partition("?")[0] not in shown
    assert f"/tasks/{job.task_id}/pay/begin/" in shown
    begun = browser.post(f"/tasks/{job.task_id}/pay/begin/", follow=True)

    assert job.payment != first
    assert "/unifiedcheckout/" in begun.content.decode()


def test_who_comes_back_from_a_refused_payment_sees_that_it_was_declined(world: EgyptWorld, sign_in: SignIn) -> None:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    query = world.pay_there(job, card="4000000000009995", passed=True)
    browser = sign_in(job.client)
    assert query["success"] == "false"
    world.learn_of_payment(job)
    page = text_of(browser.get("/pay/returned/paymob/", query, follow=True))
    assert "The payment did not go through" in page
    assert "The card or wallet does not have enough money." in page


def test_a_decline_is_read_again_until_that_of_the_last_try_must_have_arrived(
    world: EgyptWorld, sign_in: SignIn
) -> None:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    world.pay_there(job, card="4000000000000069")
    world.learn_of_payment(job)
    query = world.pay_there(job, card="4000000000009995", passed=True)
    browser = sign_in(job.client)
    page = browser.get("/pay/returned/paymob/", query, follow=True)
    again = re.search(r'hx-get="([^"]+)"', page.content.decode())
    assert again is not None
    assert "The card has expired." in text_of(page)

    world.learn_of_payment(job)
    shown = text_of(browser.get(again[1].replace("&amp;", "&")))
    assert "The card or wallet does not have enough money." in shown
    wait = f"/tasks/{job.task_id}/pay/wait/"
    for address in (wait, f"{wait}?waited={LATE_DECLINE_SECONDS}&declined=1"):
        assert "hx-get" not in browser.get(address).content.decode()


def test_who_has_a_code_for_a_kiosk_is_told_to_pay_there(world: EgyptWorld, sign_in: SignIn) -> None:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    browser, checkout = sign_in(job.client), f"/tasks/{job.task_id}/pay/"
    assert "code for a kiosk" not in text_of(browser.get(checkout))
    world.pay_there(job, method="kiosk", passed=None)
    world.learn_of_payment(job)
    assert "If you have a code for a kiosk, pay with it there" in text_of(browser.get(checkout))
    assert "pay there with the code that you got" in text_of(browser.get(f"{checkout}wait/"))


@pytest.mark.parametrize("query", [{}, {"order": "1"}, {"order": "x\x00y"}, {"order_id": "9" * 400}])
def test_an_address_that_names_no_payment_of_the_client_leads_to_the_tasks(
    world: EgyptWorld, sign_in: SignIn, query: dict[str, str]
) -> None:
    browser = sign_in(world.client())
    page = browser.get("/pay/returned/paymob/", query, follow=True)
    assert "We do not know this payment." in text_of(page)


def test_a_return_pays_nothing_and_shows_nothing_of_others(world: EgyptWorld, sign_in: SignIn) -> None:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    forged = {"order": str(job.payment.provider_payment_id), "success": "true"}
    page = sign_in(job.client).get("/pay/returned/paymob/", forged, follow=True)
    assert WAITING in text_of(page)
    assert job.escrow.state == "pending_payment"
    other = sign_in(world.client()).get("/pay/returned/paymob/", forged, follow=True)
    assert "We do not know this payment." in text_of(other)
    assert Client().get("/pay/returned/paymob/", forged)["Location"].startswith("/sign-in/")
    assert sign_in(job.client).get("/pay/returned/nobody/", forged).status_code == 404


def wallet(browser: Client) -> str:
    return text_of(browser.get("/wallet/"))


def test_the_wallet_and_the_form_say_what_is_missing_and_never_name_a_payout_account(
    world: EgyptWorld, sign_in: SignIn
) -> None:
    payee = world.freelancer(onboarded=False, default_currency="EGP")
    world.earned(payee)
    browser = sign_in(payee)
    for step in ("identity", "staff", "destination"):
        assert "payout account" not in wallet(browser).lower()
        form = text_of(browser.get("/wallet/withdraw/?currency=EGP"))
        assert "payout account" not in form.lower()
        if step == "identity":
            assert "enter your legal name" in form
            submitted = world.submit_identity(payee)
        elif step == "staff":
            assert "Our staff confirms who you are." in form
            assert submitted.user_id == user_id(payee)
            world.identify(payee)
        else:
            assert "Choose where your money goes" in form
            assert "Complete your payout details" in wallet(browser)
    world.add_wallet(payee, SUCCEEDS)
    assert 'name="amount"' in browser.get("/wallet/withdraw/?currency=EGP").content.decode()


def test_an_applicant_and_the_client_are_told_that_payout_details_are_missing(
    world: EgyptWorld, sign_in: SignIn
) -> None:
    client, payee = world.client(), world.freelancer(onboarded=False)
    task = tasks.post_task(actor=client, now=world.now, title="Logo", description="Draw one", budget=pounds("1000.00"))
    applicants, clients = sign_in(payee), sign_in(client)
    told = "You have not given all payout details for EGP yet."
    said = "has not set up payouts in EGP yet"
    assert told in text_of(applicants.get(f"/tasks/{task.pk}/"))
    applications.apply(actor=payee, now=world.now, task_id=task.pk)
    for step in (world.submit_identity, lambda payee: world.add_wallet(payee, SUCCEEDS)):
        assert told in text_of(applicants.get(f"/tasks/{task.pk}/"))
        assert said in text_of(clients.get(f"/tasks/{task.pk}/"))
        step(payee)
    assert told not in text_of(applicants.get(f"/tasks/{task.pk}/"))
    assert said not in text_of(clients.get(f"/tasks/{task.pk}/"))


def test_the_form_knows_the_least_of_the_destination(world: EgyptWorld, sign_in: SignIn) -> None:
    payee = world.payee()
    world.earned(payee)
    browser = sign_in(payee)
    page = browser.get("/wallet/withdraw/confirm/", {"currency": "EGP", "amount": "0.50"})
    assert page.status_code == 422
    assert "The least that can be paid out is" in text_of(page)


def test_a_balance_below_the_least_of_a_destination_is_explained(world: EgyptWorld, sign_in: SignIn) -> None:
    payee = world.payee(issuer="instapay")
    world.earned(payee, pounds("100.00"))
    browser = sign_in(payee)
    assert "other ways take less" in text_of(browser.get("/wallet/withdraw/?currency=EGP"))
    world.earned(payee, pounds("100.00"))
    assert "other ways take less" not in text_of(browser.get("/wallet/withdraw/?currency=EGP"))


def withdraw(browser: Client, amount: str) -> Any:
    """Confirm a withdrawal on the pages; return the page of it."""
    confirmation = browser.get("/wallet/withdraw/confirm/", {"currency": "EGP", "amount": amount})
    assert confirmation.status_code == 200, text_of(confirmation)
    key = re.search(r'name="request_key" value="([^"]+)"', confirmation.content.decode())
    assert key is not None
    sent = {"request_key": key[1], "currency": "EGP", "amount": amount}
    return browser.post("/wallet/withdraw/confirm/", sent, follow=True)


def test_a_withdrawal_to_new_details_waits_shows_until_when_and_can_be_cancelled(
    world: EgyptWorld, sign_in: SignIn
) -> None:
    payee = identified(world)
    world.earned(payee)
    world.add_wallet(payee, SUCCEEDS)
    browser = sign_in(payee)
    confirmation = browser.get("/wallet/withdraw/confirm/", {"currency": "EGP", "amount": "100.00"})
    assert "your payout details are new" in text_of(confirmation)
    page = withdraw(browser, "100.00")
    shown = text_of(page)
    assert "It leaves on" in shown
    assert "Waiting to be paid out" in shown
    assert "your payout details are new" in wallet(browser)

    made = Withdrawal.objects.get()
    address = f"/wallet/withdrawals/{made.public_id}/cancel/"
    asked = browser.get(address)
    assert "is not paid out and is available in your wallet again" in text_of(asked)
    version = re.search(r'name="confirmed" value="([^"]*)"', asked.content.decode())
    assert version is not None
    done = browser.post(address, {"confirmed": version[1]}, follow=True)
    made.refresh_from_db()
    assert made.state == "cancelled", text_of(done)
    assert world.wallet(payee, "EGP").available == pounds("850.00")


def test_a_withdrawal_that_waits_for_the_budget_says_so_and_then_is_paid(world: EgyptWorld, sign_in: SignIn) -> None:
    payee = world.payee()
    world.earned(payee)
    made = world.withdrawn(payee, pounds("100.00"))
    Disbursement.objects.update(usable_from=timezone.now() - timedelta(minutes=5))
    browser = sign_in(payee)
    page = browser.get(f"/wallet/withdrawals/{made.public_id}/")
    assert "It leaves as soon as we have topped up our payout budget." in text_of(page)
    assert 'hx-trigger="every 30s"' in page.content.decode()
    assert "waits for our payout budget" in text_of(browser.get("/wallet/withdrawals/"))

    world.fill_budget(pounds("500.00"))
    paid = text_of(browser.get(f"/wallet/withdrawals/{made.public_id}/"))
    assert "Paid out" in paid
    assert "Cancel the withdrawal" not in paid


def test_a_withdrawal_that_fails_says_why_and_offers_another_try(world: EgyptWorld, sign_in: SignIn) -> None:
    payee = world.payee(FAILS)
    world.earned(payee)
    world.fill_budget(pounds("500.00"))
    made = world.withdrawn(payee, pounds("100.00"))
    page = sign_in(payee).get(f"/wallet/withdrawals/{made.public_id}/")
    assert made.state == "failed"
    shown = text_of(page)
    assert "There is no wallet for this mobile number." in shown
    for label in ("It could not be paid out", "Check your payout details", "Try again"):
        assert label in shown
    assert "/payout-details/" in page.content.decode()


def test_the_pages_in_arabic_have_no_english_sentence(world: EgyptWorld, sign_in: SignIn) -> None:
    payee = world.payee()
    world.earned(payee)
    made = world.withdrawn(payee, pounds("100.00"))
    Disbursement.objects.update(usable_from=timezone.now() - timedelta(minutes=5))
    browser = sign_in(payee)
    browser.cookies["django_language"] = "ar"
    for address in ("/wallet/", "/wallet/withdraw/?currency=EGP", f"/wallet/withdrawals/{made.public_id}/"):
        page = text_of(browser.get(address))
        assert "رصيد الصرف" in page or "السحب" in page
        assert not re.search(r"\b(withdrawal|budget|payout)\b", page, re.IGNORECASE)
    assert disbursement_of(made).allotted_at is None
