"""A confirmation counts for what its page showed: once the action is not offered any more, nothing is done."""

import threading
from collections.abc import Callable

import pytest
from django.db import connections
from django.test import Client

from multitask.marketplace import work
from multitask.payments.agreements import milestone_work
from multitask.payments.errors import DisputeOpen, RefundInProgress
from multitask.payments.escrow import disputes
from multitask.users.actor import Actor
from tests.integration.pages.test_confirmations import confirmed, state, words
from tests.payments_world import Job, World, dollars

SignIn = Callable[[Actor], Client]
REFUSED = "This cannot be done in the present state."


def open_dispute(world: World, job: Job, actor: Actor) -> None:
    disputes.open_dispute(actor=actor, escrow_id=job.escrow.pk, reason="It is not round.", now=world.now)


def test_a_task_that_was_delivered_meanwhile_is_not_called_off(world: World, sign_in: SignIn) -> None:
    job = world.started()
    browser, address = sign_in(job.freelancer), f"/tasks/{job.task_id}/cancel/"
    form = confirmed(browser, address)
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)

    answer = browser.post(address, form, follow=True)

    assert state(job) == ("delivered", "funded")
    assert REFUSED in words(answer)


@pytest.mark.parametrize("version", ["x", "yes", ""])
def test_what_no_page_offers_is_not_done_whatever_is_sent(world: World, sign_in: SignIn, version: str) -> None:
    job = world.delivered()
    answer = sign_in(job.freelancer).post(f"/tasks/{job.task_id}/cancel/", {"confirmed": version}, follow=True)
    assert state(job) == ("delivered", "funded")
    assert REFUSED in words(answer)


def test_work_is_not_delivered_into_a_dispute_by_a_page_that_promised_release(world: World, sign_in: SignIn) -> None:
    job = world.started()
    browser, address = sign_in(job.freelancer), f"/tasks/{job.task_id}/deliver/"
    form = confirmed(browser, address)
    open_dispute(world, job, job.client)

    answer = browser.post(address, form, follow=True)

    assert state(job) == ("in_progress", "disputed")
    assert REFUSED in words(answer)


# -- confirm and release: both or nothing


@pytest.mark.parametrize("blocked_by", ["refund", "dispute"])
def test_work_is_not_confirmed_where_its_money_cannot_be_released(
    world: World, sign_in: SignIn, blocked_by: str
) -> None:
    job = world.delivered()
    browser, address = sign_in(job.client), f"/tasks/{job.task_id}/payment/confirm/"
    form = confirmed(browser, address)
    if blocked_by == "refund":
        world.refund(job, amount=dollars("10.00"))
    else:
        open_dispute(world, job, job.freelancer)

    browser.post(address, form)

    assert state(job)[0] == "delivered"
    assert "completed" not in job.history()


@pytest.mark.parametrize(("blocked_by", "refusal"), [("refund", RefundInProgress), ("dispute", DisputeOpen)])
def test_the_command_confirms_nothing_that_it_cannot_release(
    world: World, blocked_by: str, refusal: type[Exception]
) -> None:
    job = world.delivered()
    if blocked_by == "refund":
        world.refund(job, amount=dollars("10.00"))
    else:
        open_dispute(world, job, job.freelancer)
    with pytest.raises(refusal):
        milestone_work.complete_and_release(actor=job.client, escrow_id=job.escrow.pk, now=world.now)
    assert state(job)[0] == "delivered"


def test_work_that_was_confirmed_meanwhile_is_released(world: World, sign_in: SignIn) -> None:
    job = world.delivered(freelancer=world.freelancer())
    browser, address = sign_in(job.client), f"/tasks/{job.task_id}/payment/confirm/"
    form = confirmed(browser, address)
    work.complete(actor=job.client, task_id=job.task_id, now=world.now)

    assert "Confirmed and released." in words(browser.post(address, form, follow=True))
    assert state(job) == ("completed", "released")
    assert job.history().count("completed") == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["deliver", "confirm"])
def test_a_form_that_is_sent_twice_at_once_is_a_success_twice(world: World, sign_in: SignIn, step: str) -> None:
    job = world.started() if step == "deliver" else world.delivered(freelancer=world.freelancer())
    actor = job.freelancer if step == "deliver" else job.client
    address = f"/tasks/{job.task_id}/deliver/" if step == "deliver" else f"/tasks/{job.task_id}/payment/confirm/"
    browsers = [sign_in(actor) for _ in range(2)]
    form = confirmed(browsers[0], address)
    told: list[str] = []

    def send(browser: Client) -> None:
        try:
            told.append(words(browser.post(address, form, follow=True)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send, args=[browser]) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    success = "Delivered." if step == "deliver" else "Confirmed and released."
    assert [success in page for page in told] == [True, True]
    assert job.history().count("delivered" if step == "deliver" else "released") == 1
