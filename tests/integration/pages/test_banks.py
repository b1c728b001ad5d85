"""A freelancer without a bank account in a task's currency is told when applying, when accepted and in the wallet."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from multitask.marketplace import applications, tasks
from multitask.money import Money
from multitask.users.models import User
from tests.integration.pages.reading import text_of
from tests.payments_world import World, user_id

SignIn = Callable[..., Client]
TOLD = "Your payout account has no bank account in EUR. What you earn here waits until you add one."


def test_an_applicant_and_the_client_are_told_that_a_bank_is_missing(world: World, sign_in: SignIn) -> None:
    client, freelancer = world.client(), world.freelancer()
    task = tasks.post_task(
        actor=client, now=world.now, title="Logo", description="Draw one", budget=Money(5_000, "EUR")
    )
    assert TOLD in text_of(sign_in(freelancer).get(f"/tasks/{task.pk}/"))

    application = applications.apply(actor=freelancer, now=world.now, task_id=task.pk)
    name = User.objects.get(pk=user_id(freelancer)).username
    told = f"{name} has no bank account in EUR yet: the money waits until there is one."
    assert told in text_of(sign_in(client).get(f"/tasks/{task.pk}/"))

    applications.accept(actor=client, now=world.now, application_id=application.pk)
    assert TOLD in text_of(sign_in(freelancer).get(f"/tasks/{task.pk}/"))
    world.add_bank(freelancer, "EUR")
    assert TOLD not in text_of(sign_in(freelancer).get(f"/tasks/{task.pk}/"))


def test_an_applicant_and_the_client_are_told_that_a_payout_account_is_missing(world: World, sign_in: SignIn) -> None:
    client, freelancer = world.client(), world.freelancer(onboarded=False)
    price = Money(5_000, "USD")
    task = tasks.post_task(actor=client, now=world.now, title="Logo", description="Draw one", budget=price)
    told = "You have no payout account yet. What you earn here waits until you set one up."
    assert told in text_of(sign_in(freelancer).get(f"/tasks/{task.pk}/"))

    application = applications.apply(actor=freelancer, now=world.now, task_id=task.pk)
    assert told in text_of(sign_in(freelancer).get(f"/tasks/{task.pk}/"))
    said = "has not set up payouts in USD yet: the money waits until that is done."
    assert said in text_of(sign_in(client).get(f"/tasks/{task.pk}/"))

    applications.reject(actor=client, now=world.now, application_id=application.pk)
    assert told not in text_of(sign_in(freelancer).get(f"/tasks/{task.pk}/"))
    assert said not in text_of(sign_in(client).get(f"/tasks/{task.pk}/"))


def test_home_names_the_money_that_waits_for_a_bank(world: World, sign_in: SignIn) -> None:
    freelancer = world.released(Money(20_000, "EUR")).freelancer
    world.work()
    home = text_of(sign_in(freelancer).get("/"))
    assert "€170.00 waits for a bank account in EUR" in home
    world.add_bank(freelancer, "EUR")
    assert "waits for a bank account" not in text_of(sign_in(freelancer).get("/"))


def test_the_wallet_names_the_missing_bank_and_offers_no_withdrawal(world: World, sign_in: SignIn) -> None:
    freelancer = world.released(Money(20_000, "EUR")).freelancer
    world.work()
    world.wait(days=3)
    browser = sign_in(freelancer)
    assert "Waits for a bank account in this currency" in text_of(browser.get("/wallet/"))
    asked = browser.get("/wallet/withdraw/?currency=EUR")
    assert "Your payout account has no bank account in EUR." in text_of(asked)
    assert 'name="amount"' not in asked.content.decode()


@pytest.mark.parametrize("amount", ["0.01", "0.99"])
def test_too_little_to_pay_out_is_refused_beside_the_field(world: World, sign_in: SignIn, amount: str) -> None:
    freelancer = world.settled().freelancer
    answer = sign_in(freelancer).get("/wallet/withdraw/confirm/", {"amount": amount, "currency": "USD"})
    assert answer.status_code == 422
    assert "The least that can be paid out is $1.00." in text_of(answer)


def test_a_task_in_a_currency_without_a_route_is_not_posted(world: World, sign_in: SignIn, settings: Settings) -> None:
    settings.ROUTES = {"EUR": {"provider": "stripe", "kind": "connected"}}
    form = {"title": "Logo", "description": "Draw one", "budget": "50.00"}
    answer = sign_in(world.client()).post("/tasks/new/", form)
    assert answer.status_code == 422
    assert "Payments in USD are not possible here; use one of EUR." in text_of(answer)
