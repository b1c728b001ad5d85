"""What the two sides see while a bank contests a payment, and after it: no work for contested money, and why."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from multitask.payments.losses import booking
from multitask.payments.models import AuditEvent, Chargeback, Notice
from multitask.payments.notices import notices, wording
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.web.pages.base import status_labels
from multitask.web.pages.escrow import timeline
from tests import mailbag
from tests.integration.payments.test_chargebacks import close, contest
from tests.integration.payments.test_money_moved_outside import refunded_in_the_dashboard
from tests.payments_world import Job, World, dollars

SignIn = Callable[[Actor], Client]


def read(browser: Client, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode()).replace("&#x27;", "'")


def pages(job: Job, sign_in: SignIn, actor: Actor) -> dict[str, str]:
    browser = sign_in(actor)
    addresses = {"home": "/", "task": f"/tasks/{job.task_id}/", "payment": f"/tasks/{job.task_id}/payment/"}
    return {name: read(browser, address) for name, address in addresses.items()}


def texts(world: World, actor: Actor, kind: str) -> list[str]:
    notices.collect(now=world.now)
    mailbag.empty(world.now)
    found = Notice.objects.filter(user_id=actor.user_id, kind=kind)
    return [wording.of(notice).text for notice in found]


def test_the_freelancer_is_told_not_to_work_and_why_and_until_when(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    contest(world, job)
    seen = pages(job, sign_in, job.freelancer)
    assert "Do not work on this: the cardholder's bank contests the payment" in seen["home"]
    assert "do the work and deliver it" not in seen["home"]
    for name in ("task", "payment"):
        assert "Do not work on this for now." in seen[name]
        assert "We answer the bank by" in seen[name]
    assert "Start the work" not in seen["task"]
    assert "The cardholder did not authorize the payment" in seen["payment"]
    (told,) = texts(world, job.freelancer, "chargeback_opened")
    assert told.startswith("Do not work on it until the case is closed.")
    assert "We answer the bank by" in told


def test_the_client_sees_what_happens(world: World, sign_in: SignIn) -> None:
    job = world.started()
    contest(world, job, inquiry=True)
    seen = pages(job, sign_in, job.client)
    assert "Your bank contests this payment; its money is held" in seen["home"]
    assert "Your bank asks about this payment" in seen["payment"]
    assert "Inquiry: waits for our answer" in seen["payment"]
    (told,) = texts(world, job.client, "chargeback_opened")
    assert "The bank asks about the payment and has taken nothing." in told


def test_the_client_is_not_offered_to_confirm_contested_work(world: World, sign_in: SignIn) -> None:
    job = world.delivered()
    assert "Confirm and release" in pages(job, sign_in, job.client)["task"]
    contest(world, job)
    assert "Confirm and release" not in pages(job, sign_in, job.client)["task"]


def test_after_it_is_won_the_work_goes_on(world: World, sign_in: SignIn) -> None:
    job = world.started()
    close(world, contest(world, job), "won")
    seen = pages(job, sign_in, job.freelancer)
    assert "do the work and deliver it" in seen["home"]
    assert not any("Do not work" in page for page in seen.values())


def test_a_booked_loss_says_what_it_took(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("50.00")))
    close(world, contest(world, job), "lost")
    assert "has kept the money" in pages(job, sign_in, job.freelancer)["payment"]
    booking.book(actor=world.staff(), chargeback_id=Chargeback.objects.get().pk, now=world.now)
    world.work()
    (told,) = texts(world, job.freelancer, "loss_booked")
    assert "$35.00 of what you earned for this task was taken back." in told
    assert "you owe $50.00" in told
    seen = pages(job, sign_in, job.client)["payment"]
    assert "Given back to the client after the release" in seen


def test_an_escrow_that_was_charged_back_says_so(world: World, sign_in: SignIn) -> None:
    job = world.started()
    close(world, contest(world, job), "lost")
    booking.book(actor=world.staff(), chargeback_id=Chargeback.objects.get().pk, now=world.now)
    (told,) = texts(world, job.freelancer, "loss_booked")
    assert "Nothing was taken from your wallet." in told
    seen = pages(job, sign_in, job.freelancer)["payment"]
    assert "Charged back" in seen
    assert "there is nothing to earn here. Do not work on it." in seen
    assert "Taken back by the client's bank" in seen


def test_the_staffs_work_with_the_bank_is_not_shown_to_the_sides(world: World, sign_in: SignIn) -> None:
    job = world.started()
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": job.charge_id})
    world.hear()
    assert AuditEvent.objects.filter(event="fraud_warning_opened").exists()
    for actor in (job.client, job.freelancer):
        assert "suspects fraud" not in pages(job, sign_in, actor)["payment"]


@pytest.mark.parametrize("language", ["en", "ar"])
def test_no_state_or_event_is_shown_as_a_code(world: World, sign_in: SignIn, language: str) -> None:
    job = world.settled()
    close(world, contest(world, job), "lost")
    booking.book(actor=world.staff(), chargeback_id=Chargeback.objects.get().pk, now=world.now)
    world.work()
    with translation.override(language):
        unknown = [name for name in set(job.history()) if name not in timeline._LABELS]
        assert unknown == []
        for status in Chargeback._meta.get_field("status").choices or _statuses():
            label: Any = status_labels.label(str(status))
            assert label != str(status).replace("_", " ").capitalize() or status in {"prevented", "won", "lost"}


def _statuses() -> list[str]:
    return ["needs_response", "under_review", "warning_needs_response", "warning_under_review", "won", "lost"]


def test_home_says_that_released_money_is_contested(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    dispute = contest(world, job)
    assert "$85.00 is held: the cardholder's bank contests the payment" in pages(job, sign_in, job.freelancer)["home"]
    assert "Your bank contests this payment, which was released already" in pages(job, sign_in, job.client)["home"]
    close(world, dispute, "won")
    for side in (job.freelancer, job.client):
        assert "contests" not in pages(job, sign_in, side)["home"]


def test_home_says_that_money_that_was_withdrawn_is_contested(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    contest(world, job)
    told = "The cardholder's bank contests a payment that was released to you"
    assert told in pages(job, sign_in, job.freelancer)["home"]


def test_the_client_is_told_when_a_loss_is_booked(world: World) -> None:
    job = world.settled()
    close(world, contest(world, job), "lost")
    booking.book(actor=world.staff(), chargeback_id=Chargeback.objects.get().pk, now=world.now)
    (told,) = texts(world, job.client, "loss_booked")
    assert told == "$100.00 went back to you, and the case is closed. The payment page shows what is left."


def test_the_freelancer_is_told_what_a_refund_in_the_dashboard_cost_them(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("60.00")))
    refunded_in_the_dashboard(world, job, 5_000)
    (told,) = texts(world, job.freelancer, "refunded_outside")
    name = User.objects.get(pk=job.client.user_id).username
    assert told == (
        f"$50.00 went back to {name}; the refund was not made here. $25.00 of what you earned for this task was taken"
        " back. You had withdrawn the rest: you owe $17.50, which is kept from your next earnings."
    )
    assert texts(world, job.client, "refunded_outside") == []


def test_the_freelancer_is_told_what_a_refund_in_the_dashboard_took_from_the_escrow(world: World) -> None:
    job = world.started()
    refunded_in_the_dashboard(world, job, 4_000)
    (told,) = texts(world, job.freelancer, "refunded_outside")
    assert "$40.00 of it came out of the escrow." in told
