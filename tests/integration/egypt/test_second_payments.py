"""A second successful payment of one order: booked, set aside and sent back, like any payment that fits no escrow."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from multitask.payments.models import Payment, Refund
from multitask.users.actor import Actor
from multitask.webhooks import dispatch, incoming
from multitask.webhooks.models import IncomingEvent
from tests.egypt_world import BUDGET, COLLECTED, EgyptWorld, pounds
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, held


def tried(world: EgyptWorld, job: Job, **given: Any) -> int:
    """Begin to pay, or pay, on the provider's page; return the transaction's id."""
    order = job.payment.provider_payment_id
    return int(world.paymob.control("POST", f"intentions/{order}/pay", given)["transaction"]["id"])


def look_at(world: EgyptWorld, object_id: str) -> None:
    """Do what a callback about a payment, or a poll, does."""
    dispatch.refresh(IncomingEvent(provider="paymob", subject="payment", object_id=object_id), now=world.now)


def paid_twice(world: EgyptWorld, **people: Any) -> tuple[Job, str, str]:
    """A job that was paid by card, and then at a kiosk too; return the ids of the order's payments by each."""
    job = world.hired(pounds("1000.00"), **people)
    world.ask_to_pay(job)
    order = str(job.payment.provider_payment_id)
    bill, card = tried(world, job, method="kiosk"), tried(world, job)
    world.paymob.control("POST", f"transactions/{bill}", {"passed": True})
    return job, f"{order}/{card}", f"{order}/{bill}"


def test_the_history_says_why_in_the_language_of_the_client(
    world: EgyptWorld, sign_in: Callable[[Actor], Client]
) -> None:
    job, second_id, first_id = paid_twice(world)
    for seen in (first_id, second_id):
        look_at(world, seen)
    browser = sign_in(job.client)
    browser.cookies["django_language"] = "ar"
    page = text_of(browser.get("/transactions/"))
    assert "المهمة مدفوعة من قبل أو ملغاة" in page
    assert "already paid" not in page


@pytest.mark.parametrize("times", [1, 3])
def test_a_second_payment_by_card_goes_back_to_the_card(world: EgyptWorld, times: int) -> None:
    job, second_id, first_id = paid_twice(world)
    for seen in (first_id, *[second_id] * times):
        look_at(world, seen)
    order, _, first_collection = first_id.partition("/")
    first, second = Payment.objects.order_by("pk")
    assert (first.provider_payment_id, first.state) == (order, "succeeded")
    assert (second.provider_payment_id, second.state, second.review_reason) == (second_id, "review", "second_payment")
    assert f"{order}/{second.provider_collection_id}" == second_id
    assert (first.provider_collection_id, first.is_refundable) == (first_collection, False)
    assert second.is_refundable is True
    assert held(COLLECTED, "EGP") == -200_000

    world.work()
    for _ in range(times):
        look_at(world, second_id)

    refund = Refund.objects.get()
    assert (refund.payment, refund.source, refund.state) == (second, "unapplied", "succeeded")
    assert (refund.amount, refund.is_outside) == (pounds("1000.00"), False)
    second.refresh_from_db()
    assert (second.state, job.escrow.state) == ("returned", "funded")
    assert held(COLLECTED, "EGP") == -100_000
    read = world.paymob_provider.read_payment
    assert (read(second_id).refunded, read(first_id).refunded) == (pounds("1000.00"), pounds("0.00"))


@pytest.mark.parametrize("is_card_newer", [True, False])
def test_both_payments_of_an_order_are_booked_by_one_batch(world: EgyptWorld, is_card_newer: bool) -> None:
    _job, card_id, bill_id = paid_twice(world)
    later = world.now + timedelta(minutes=1)
    for number, object_id in enumerate((bill_id, card_id) if is_card_newer else (card_id, bill_id)):
        IncomingEvent.objects.create(
            provider="paymob", event_id=str(number), kind="TRANSACTION", subject="payment", object_id=object_id,
            payload="{}", received_at=world.now, waiting_since=world.now, next_attempt_at=world.now, awaited=True,
        )  # fmt: skip

    assert incoming.process_newest(now=later) == 2

    assert sorted(Payment.objects.values_list("state", flat=True)) == ["review", "succeeded"]
    assert held(COLLECTED, "EGP") == -200_000
    assert set(IncomingEvent.objects.values_list("state", flat=True)) == {"processed"}


def test_a_bill_paid_at_a_kiosk_after_the_card_is_paid_out_to_the_client(world: EgyptWorld) -> None:
    client = world.client()
    job, first_id, second_id = paid_twice(world, client=client)
    look_at(world, first_id)
    assert job.escrow.state == "funded"
    look_at(world, second_id)
    world.fill_budget(pounds("2000.00"))
    world.add_wallet(client, "01000000001")
    world.wait(days=4)
    world.allot()

    refund = Refund.objects.get()
    assert (refund.source, refund.state, job.escrow.state) == ("unapplied", "succeeded", "funded")
    (there,) = world.payouts_there()
    assert there["amount"] == 100_000
    assert held(COLLECTED, "EGP") == -200_000
    assert held(BUDGET, "EGP") == -world.paymob.control("GET", "money")["budget"]


def test_the_totals_of_two_payments_of_one_order_are_kept_apart(world: EgyptWorld) -> None:
    job, first_id, second_id = paid_twice(world)
    look_at(world, first_id)
    look_at(world, second_id)
    first, second = Payment.objects.order_by("pk")
    world.paymob.refund(int(first.provider_collection_id), 40_000)
    for _ in range(2):
        look_at(world, first_id)
        look_at(world, second_id)

    ours, made = Refund.objects.order_by("pk")
    assert (ours.payment, ours.source, ours.is_outside) == (second, "unapplied", False)
    assert (made.payment, made.is_outside, made.amount) == (first, True, pounds("400.00"))
    assert (job.escrow.remaining, held(COLLECTED, "EGP")) == (pounds("600.00"), -160_000)
