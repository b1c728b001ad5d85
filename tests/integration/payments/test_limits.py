"""Each user may create a limited number of objects at the provider in five minutes; retries do not count."""

from datetime import timedelta
from functools import partial

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from multitask.payments.authorization import rate_limits
from multitask.payments.authorization.rate_limits import Purpose
from multitask.payments.errors import TooManyRequests
from multitask.payments.funding import saved_methods
from multitask.payments.models import Payment, ProviderCall
from multitask.payments.payouts import onboarding
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.integration.races import together
from tests.payments_world import World, dollars, user_id


def set_up_card(world: World, client: Actor, key: str) -> None:
    saved_methods.begin_setup(actor=client, now=world.now, request_key=key)


def test_sixty_card_set_ups_in_a_row_are_twenty(world: World) -> None:
    client, made, refused = world.client(), 0, []
    before = len(world.sandbox.objects("setup_intent"))
    for number in range(60):
        try:
            set_up_card(world, client, f"set-up {number}")
            made += 1
        except TooManyRequests as refusal:
            refused.append(refusal)

    assert (made, len(refused)) == (20, 40)
    assert len(world.sandbox.objects("setup_intent")) - before == 20
    assert all(refusal.retry_after > 0 for refusal in refused)


def test_time_makes_room_again_and_others_have_their_own(world: World, settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = 1
    client = world.client()
    set_up_card(world, client, "first")
    with pytest.raises(TooManyRequests) as refusal:
        set_up_card(world, client, "second")

    set_up_card(world, world.client(), "somebody else's")
    world.wait(seconds=refusal.value.retry_after)
    set_up_card(world, client, "second")


def test_what_is_asked_for_again_is_free(world: World, settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = settings.PAYMENT_CALLS_PER_USER = 1
    client = world.client()
    card = world.browser.new_method()
    for _ in range(3):
        set_up_card(world, client, "the same")
        saved_methods.save(actor=client, method_id=card, make_default=False, now=world.now)
    job = world.hired(client=client)
    for _ in range(3):
        world.ask_to_pay(job)

    assert Payment.objects.count() == 1
    with pytest.raises(TooManyRequests):
        saved_methods.save(actor=client, method_id=world.browser.new_method(), make_default=False, now=world.now)


def test_a_payment_too_many_leaves_nothing_behind(world: World, settings: Settings) -> None:
    settings.PAYMENT_CALLS_PER_USER = 1
    client = world.client()
    first, second = world.hired(client=client), world.hired(client=client)
    world.ask_to_pay(first)

    with pytest.raises(TooManyRequests):
        world.ask_to_pay(second)

    assert Payment.objects.count() == 1
    world.wait(rate_limits.WINDOW)
    assert world.ask_to_pay(second).payment.provider_payment_id


def test_links_reads_default_cards_refunds_and_withdrawals_are_counted(world: World, settings: Settings) -> None:
    freelancer = world.freelancer()
    job = world.settled(freelancer=freelancer)
    settings.CARD_CALLS_PER_USER = settings.PAYMENT_CALLS_PER_USER = 1
    world.wait(rate_limits.WINDOW)
    saved = saved_methods.save(
        actor=job.client, method_id=world.browser.new_method(), make_default=False, now=world.now
    )
    paid = world.funded(client=job.client)
    calls = (
        lambda: onboarding.link(actor=freelancer, refresh_url="http://a", return_url="http://b", now=world.now),
        lambda: onboarding.refresh(user_id=user_id(freelancer), now=world.now),
        lambda: saved_methods.set_default(actor=job.client, method_id=saved.pk, now=world.now),
        lambda: world.refund(paid, amount=dollars("1.00")) and world.work(),
        lambda: world.withdraw(freelancer, dollars("1.00")),
    )
    for call in calls:
        call()
        world.wait(seconds=1)
        with pytest.raises(TooManyRequests):
            call()


def test_an_account_that_is_refused_each_time_is_asked_for_only_so_often(world: World, settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = 1
    freelancer = world.freelancer(onboarded=False)
    world.create_account(freelancer)

    assert ProviderCall.objects.filter(user_id=user_id(freelancer), purpose=Purpose.ACCOUNT.value).count() == 1


@pytest.mark.django_db(transaction=True)
def test_no_more_get_through_at_once_than_one_after_the_other(settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = 5
    user = User.objects.create_user("ada", "ada@example.com", is_client=True)
    calls = [
        partial(rate_limits.count, user_id=user.pk, purpose=Purpose.SETUP, key=str(number), now=timezone.now())
        for number in range(12)
    ]

    answers = together(calls)

    assert answers.count(None) == 5
    assert sum(isinstance(answer, TooManyRequests) for answer in answers) == 7


def test_calls_that_a_clock_counted_which_was_ahead_do_not_count(world: World, settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = 2
    client = world.client()
    count = partial(rate_limits.count, user_id=user_id(client), purpose=Purpose.SETUP)
    for number in range(2):
        count(key=f"ahead {number}", now=world.now + timedelta(hours=3))

    for number in range(2):
        count(key=f"new {number}", now=world.now)
    with pytest.raises(TooManyRequests) as refusal:
        count(key="one too many", now=world.now)
    assert 0 < refusal.value.retry_after <= rate_limits.WINDOW.total_seconds()


def test_calls_of_a_server_whose_clock_is_a_little_ahead_count(world: World, settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = 1
    count = partial(rate_limits.count, user_id=user_id(world.client()), purpose=Purpose.SETUP)
    count(key="first", now=world.now + timedelta(seconds=30))

    with pytest.raises(TooManyRequests) as refusal:
        count(key="second", now=world.now)
    assert refusal.value.retry_after == rate_limits.WINDOW.total_seconds()


def test_zero_is_any_number(world: World, settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = 0
    client = world.client()
    for number in range(25):
        set_up_card(world, client, str(number))
    assert not ProviderCall.objects.exists()


def test_what_counts_no_more_is_deleted(world: World) -> None:
    set_up_card(world, world.client(), "old")

    assert rate_limits.purge(now=world.now + rate_limits.KEEP - timedelta(seconds=1)) == 0
    assert rate_limits.purge(now=world.now + rate_limits.KEEP + timedelta(seconds=1)) == 1


def test_the_api_says_when_to_come_again(world: World, settings: Settings, client: Client) -> None:
    settings.CARD_CALLS_PER_USER = 2
    client.force_login(
        User.objects.get(pk=user_id(world.client())), backend="multitask.users.backends.UsernameOrEmailBackend"
    )

    answers = [client.post("/payments/payment-methods/setup/", "{}", content_type="application/json") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    refusal = answers[-1].json()
    assert set(refusal) == {"error", "code", "detail", "fields"}
    assert refusal["code"] == "too_many_requests"
    assert 0 < int(answers[-1]["Retry-After"]) <= 301


def test_a_long_key_that_comes_again_is_free_too(world: World, settings: Settings) -> None:
    settings.CARD_CALLS_PER_USER = 1
    client = world.client()
    for _ in range(2):
        rate_limits.count(user_id=user_id(client), purpose=Purpose.CARD, key="pm_" + "x" * 300, now=world.now)
    assert ProviderCall.objects.filter(user_id=user_id(client), purpose=Purpose.CARD.value).count() == 1
