"""Dates of unpaid and of held money on the pages: when it is to be paid, until when it may be held."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from multitask.marketplace import work
from multitask.payments.funding import unfunded
from multitask.payments.models import Escrow
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.web.pages.templatetags.money import day
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, World, user_id

SignIn = Callable[[Actor], Client]


def asked(world: World) -> Job:
    job = world.hired()
    world.ask_to_pay(job)
    return job


def expired(world: World) -> Job:
    """The escrow was closed, since its client has not paid."""
    job = asked(world)
    world.wait(days=15)
    for _ in range(2):
        unfunded.close(escrow_id=job.escrow.pk, now=world.now)
        world.work()
    assert job.escrow.state == "cancelled"
    return job


def test_both_sides_see_until_when_it_is_to_be_paid(world: World, sign_in: SignIn) -> None:
    job = asked(world)
    due = day(job.escrow.payment_due_at)
    for actor in (job.client, job.freelancer):
        browser = sign_in(actor)
        assert f"To be paid by {due}; unpaid, the escrow is closed." in text_of(browser.get(f"/tasks/{job.task_id}/"))
        assert f"To be paid by {due}" in text_of(browser.get(f"/tasks/{job.task_id}/payment/"))


def test_both_sides_see_that_it_was_not_paid_and_the_client_pays_again(world: World, sign_in: SignIn) -> None:
    job = expired(world)
    client, freelancer = sign_in(job.client), sign_in(job.freelancer)
    for address in (f"/tasks/{job.task_id}/", f"/tasks/{job.task_id}/payment/"):
        assert "The payment did not come in time" in text_of(client.get(address))
        assert "Pay $100.00 into escrow" in text_of(client.get(address))
        assert "The client did not pay in time" in text_of(freelancer.get(address))
        assert "Pay $100.00 into escrow" not in text_of(freelancer.get(address))
    timeline = text_of(freelancer.get(f"/tasks/{job.task_id}/payment/"))
    assert "The escrow was closed before it was paid" in timeline
    first = job.escrow.pk
    answer = client.post(f"/tasks/{job.task_id}/pay/begin/")
    assert answer["Location"] == f"/tasks/{job.task_id}/pay/"
    assert (job.escrow.state, job.escrow.pk == first) == ("pending_payment", False)


def test_a_task_that_was_called_off_is_not_paid_again(world: World, sign_in: SignIn) -> None:
    job = expired(world)
    work.cancel(actor=job.client, task_id=job.task_id, now=world.now)
    for address in (f"/tasks/{job.task_id}/", f"/tasks/{job.task_id}/payment/"):
        shown = text_of(sign_in(job.client).get(address))
        assert "into escrow" not in shown
        assert "You can pay" not in shown


def test_both_sides_see_until_when_the_money_may_be_held(world: World, sign_in: SignIn, settings: Settings) -> None:
    settings.ROUTES = {"USD": {"provider": "stripe", "kind": "connected", "hold_days": 60}}
    job = world.started()
    until = day(job.escrow.hold_until_at)
    page = f"/tasks/{job.task_id}/payment/"
    for actor in (job.client, job.freelancer):
        shown = text_of(sign_in(actor).get(page))
        assert f"May be held until {until}" in shown
        assert "Until then" not in shown
    soon = world.now + timedelta(days=6)
    Escrow.objects.filter(pk=job.escrow.pk).update(hold_until_at=soon, funded_at=soon - timedelta(days=60))
    warning = f"The payment provider may hold this money until {day(soon)}."
    client, freelancer = (text_of(sign_in(actor).get(page)) for actor in (job.client, job.freelancer))
    assert warning in client
    assert "release it if the work is right" in client
    assert warning in freelancer
    assert "deliver the work and ask" in freelancer
    world.release(_completed(world, job))
    assert "May be held until" not in text_of(sign_in(job.client).get(page))


def _completed(world: World, job: Job) -> Job:
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    work.complete(actor=job.client, task_id=job.task_id, now=world.now)
    return job


@pytest.mark.parametrize("scene", [asked, expired])
def test_the_pages_are_there_in_arabic(world: World, sign_in: SignIn, scene: Callable[[World], Job]) -> None:
    job = scene(world)
    User.objects.filter(pk=user_id(job.client)).update(language="ar")
    shown = text_of(sign_in(job.client).get(f"/tasks/{job.task_id}/payment/"))
    assert ("يُدفع قبل" if scene is asked else "لم تصل الدفعة في الموعد") in shown
