"""Cancellation of a withdrawal on the pages and over the API."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import translation

from multitask.payments.models import Withdrawal
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.acceptance import clients
from tests.integration.pages.reading import text_of
from tests.payments_world import World, dollars, user_id

SignIn = Callable[[Actor], Client]
ALL = dollars("85.00")


def page(withdrawal: Withdrawal) -> str:
    return f"/wallet/withdrawals/{withdrawal.public_id}/"


def confirm(browser: Client, withdrawal: Withdrawal) -> str:
    """Open the confirmation page, confirm, and return the words of the page after it."""
    address = f"{page(withdrawal)}cancel/"
    shown = browser.get(address).content.decode()
    version = re.search(r'name="confirmed" value="([^"]*)"', shown)
    assert version is not None
    return text_of(browser.post(address, {"confirmed": version[1]}, follow=True))


@pytest.mark.parametrize("is_sent", [False, True])
def test_the_owner_cancels_it_with_a_button(world: World, sign_in: SignIn, is_sent: bool) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdrawn(freelancer, ALL) if is_sent else world.withdraw(freelancer, ALL)
    browser = sign_in(freelancer)
    assert "Cancel the withdrawal" in text_of(browser.get(page(withdrawal)))
    shown = confirm(browser, withdrawal)
    assert "You have cancelled the withdrawal." in shown
    assert "The money did not leave. It is available in your wallet again." in shown
    withdrawal.refresh_from_db()
    assert withdrawal.state == "cancelled"
    assert world.wallet(freelancer).available == ALL
    assert "Cancelled" in text_of(browser.get("/transactions/"))


def test_money_that_has_left_is_not_offered(world: World, sign_in: SignIn) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdrawn(freelancer, ALL)
    browser = sign_in(freelancer)
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
    assert "The money has left for your bank already" in confirm(browser, withdrawal)
    shown = text_of(browser.get(page(withdrawal)))
    assert "You asked to cancel it, but the money had left already." in shown
    assert "Cancel the withdrawal" not in shown
    world.learn_of_payout(withdrawal)
    answer = browser.get(f"{page(withdrawal)}cancel/", follow=True)
    assert "This cannot be done in the present state." in text_of(answer)


def test_nobody_else_sees_or_cancels_it(world: World, sign_in: SignIn) -> None:
    withdrawal = world.withdraw(world.settled().freelancer, ALL)
    for actor in (world.freelancer(), world.client(), world.staff()):
        browser = sign_in(actor)
        assert browser.get(f"{page(withdrawal)}cancel/").status_code == 404
        assert browser.post(f"{page(withdrawal)}cancel/", {"confirmed": "pending "}).status_code == 404
    withdrawal.refresh_from_db()
    assert withdrawal.state == "pending"


def test_the_page_is_there_in_arabic(world: World, sign_in: SignIn) -> None:
    freelancer = world.settled().freelancer
    User.objects.filter(pk=user_id(freelancer)).update(language="ar")
    withdrawal = world.withdraw(freelancer, ALL)
    browser = sign_in(freelancer)
    assert "إلغاء السحب" in text_of(browser.get(page(withdrawal)))
    with translation.override("ar"):
        assert "لم يُرسل المبلغ، وهو متاح في محفظتك من جديد." in confirm(browser, withdrawal)


def caller(actor: Actor) -> clients.Caller:
    return clients.of(User.objects.get(pk=user_id(actor)))


def test_the_api_cancels_it_once_and_answers_again(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdrawn(freelancer, ALL)
    api = caller(freelancer)
    listed = api.get("/payments/withdrawals/").json["results"][0]
    assert (listed["can_be_cancelled"], listed["cancelled_at"]) == (True, None)
    for name in (withdrawal.pk, withdrawal.public_id):
        answer = api.post(f"/payments/withdrawals/{name}/cancel/", {})
        assert answer.status == 200
        assert answer.json["withdrawal"]["status"] == "cancelled"
    listed = api.get("/payments/withdrawals/").json["results"][0]
    assert (listed["can_be_cancelled"], listed["status"]) == (False, "cancelled")
    assert listed["cancelled_at"] is not None


def test_the_api_says_that_the_provider_has_not_answered(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdrawn(freelancer, ALL)
    world.sandbox.add_fault("drop_request", method="POST", path="*/cancel", count=1)
    answer = caller(freelancer).post(f"/payments/withdrawals/{withdrawal.pk}/cancel/", {})
    assert answer.status == 202
    shown = answer.json["withdrawal"]
    assert (shown["status"], shown["can_be_cancelled"]) == ("processing", False)
    assert shown["cancellation_asked_at"] is not None


def test_the_api_refuses_what_has_left_and_what_is_not_ones_own(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.arrive(world.withdrawn(freelancer, ALL))
    address = f"/payments/withdrawals/{withdrawal.pk}/cancel/"
    answer = caller(freelancer).post(address, {})
    assert (answer.status, answer.code) == (409, "withdrawal_left")
    answer = caller(world.freelancer()).post(address, {})
    assert (answer.status, answer.code) == (404, "not_found")
    assert caller(freelancer).post("/payments/withdrawals/nothing/cancel/", {}).status == 404
