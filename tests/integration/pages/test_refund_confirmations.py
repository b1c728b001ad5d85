"""A refund cannot be undone, so the page shows first what it will do: the amount, to whom, and what stays."""

import re
import uuid
from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from multitask.marketplace import work
from multitask.payments.escrow import refunds
from multitask.users.actor import Actor
from tests.integration.pages.test_confirmations import words
from tests.payments_world import World, dollars

SignIn = Callable[[Actor], Client]
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


def hidden(answer: object) -> dict[str, str]:
    """The fields that the confirmation page sends back."""
    page = answer.content.decode()  # type: ignore[attr-defined]
    return {name: unescape(value) for name, value in HIDDEN.findall(page) if name != "csrfmiddlewaretoken"}


def asking(amount: str = "", **more: str) -> dict[str, str]:
    return {"amount": amount, "reason": "agreed", "note": "", "request_key": str(uuid.uuid4()), **more}


def test_the_freelancer_sees_that_an_empty_amount_sends_everything_back(world: World, sign_in: SignIn) -> None:
    job = world.delivered()
    browser, address = sign_in(job.freelancer), f"/tasks/{job.task_id}/payment/refund/"
    client, freelancer = job.escrow.client.username, job.escrow.freelancer.username

    shown = browser.post(address, asking())

    assert f"Back to {client} $100.00 Left in escrow $0.00" in words(shown)
    assert f"Nothing is left in escrow, so {freelancer} gets nothing for this task." in words(shown)
    assert "This cannot be undone" in words(shown)
    assert not job.escrow.refunds.exists()

    answer = browser.post(address, hidden(shown), follow=True)
    assert "The refund is on its way." in words(answer)
    assert (job.refund.amount_minor, job.refund.reason, job.refund.state) == (10_000, "agreed", "pending")


def test_the_client_sees_what_is_taken_back_and_what_stays(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    browser, address = sign_in(job.client), f"/tasks/{job.task_id}/payment/refund/"

    shown = browser.post(address, asking("30.00", note="Two\nlines"))

    assert "Take $30.00 back" in words(shown)
    assert f"$70.00 stays in escrow for the work of {job.escrow.freelancer.username}." in words(shown)
    assert not job.escrow.refunds.exists()
    browser.post(address, hidden(shown))
    assert (job.refund.amount_minor, job.refund.note) == (3_000, "Two\nlines")


def test_agreeing_to_a_refund_is_confirmed(world: World, sign_in: SignIn) -> None:
    job = world.started()
    world.refund(job, amount=dollars("30.00"))
    browser, address = sign_in(job.freelancer), f"/tasks/{job.task_id}/payment/refund/accept/"

    shown = browser.post(address, {"note": "As you wish", "request_key": str(uuid.uuid4())})

    assert f"Back to {job.escrow.client.username} $30.00 Left in escrow $70.00" in words(shown)
    assert "This cannot be undone" in words(shown)
    assert job.refund.state == "requested"

    answer = browser.post(address, hidden(shown), follow=True)
    assert "You agreed." in words(answer)
    assert (job.refund.state, job.refund.answer_note) == ("pending", "As you wish")


@pytest.mark.parametrize("kind", ["refund", "accept"])
def test_a_refund_that_is_confirmed_twice_is_made_once(world: World, sign_in: SignIn, kind: str) -> None:
    job = world.started()
    address = f"/tasks/{job.task_id}/payment/refund/"
    form, told = asking("30.00"), "The refund is on its way."
    if kind == "accept":
        world.refund(job, amount=dollars("30.00"))
        address, form, told = f"{address}accept/", {"request_key": str(uuid.uuid4())}, "You agreed."
    browser = sign_in(job.freelancer)
    shown = hidden(browser.post(address, form))

    answers = [words(browser.post(address, shown, follow=True)) for _ in range(2)]

    assert [told in answer for answer in answers] == [True, True]
    assert "present state" not in answers[1]
    assert job.escrow.refunds.count() == 1


@pytest.mark.parametrize("step", ["refund", "accept"])
def test_what_no_page_offers_is_not_refunded_whatever_is_sent(world: World, sign_in: SignIn, step: str) -> None:
    job = world.started()
    if step == "accept":
        world.refund(job)
        refunds.withdraw(actor=job.client, refund_id=job.refund.pk, now=world.now)
    else:
        world.refund(job, amount=dollars("10.00"))
    before = [(row.pk, row.state) for row in job.escrow.refunds.all()]
    address = f"/tasks/{job.task_id}/payment/refund/" + ("accept/" if step == "accept" else "")

    answer = sign_in(job.freelancer).post(address, {**asking("30.00"), "confirmed": "x"}, follow=True)

    assert "This cannot be done in the present state." in words(answer)
    assert [(row.pk, row.state) for row in job.escrow.refunds.all()] == before


def test_taking_back_does_not_become_a_request_when_the_work_has_started(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    browser, address = sign_in(job.client), f"/tasks/{job.task_id}/payment/refund/"
    shown = hidden(browser.post(address, asking()))
    work.start(actor=job.freelancer, task_id=job.task_id, now=world.now)

    answer = browser.post(address, shown, follow=True)

    assert "Something has changed since you opened this page." in words(answer)
    assert not job.escrow.refunds.exists()


def test_a_refund_of_everything_is_shown_again_when_less_is_left(world: World, sign_in: SignIn) -> None:
    job = world.delivered()
    browser, address = sign_in(job.freelancer), f"/tasks/{job.task_id}/payment/refund/"
    shown = hidden(browser.post(address, asking()))
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()

    answer = browser.post(address, shown)

    assert answer.status_code == 200
    assert "Something has changed since you opened this page." in words(answer)
    assert "Left in escrow $0.00" in words(answer)
    browser.post(address, hidden(answer))
    assert job.refund.amount_minor == 6_000


def test_more_than_is_left_is_told_beside_the_field(world: World, sign_in: SignIn) -> None:
    job = world.delivered()
    answer = sign_in(job.freelancer).post(f"/tasks/{job.task_id}/payment/refund/", asking("100.01"))
    assert answer.status_code == 422
    assert "The amount is more than is left." in words(answer)
    assert not job.escrow.refunds.exists()


def test_a_request_is_no_refund_yet_and_needs_no_confirmation(world: World, sign_in: SignIn) -> None:
    job = world.started()
    answer = sign_in(job.client).post(f"/tasks/{job.task_id}/payment/refund/", asking("30.00"), follow=True)
    assert "The freelancer was asked." in words(answer)
    assert job.refund.state == "requested"


@pytest.mark.parametrize("step", ["", "accept/"])
def test_the_address_of_a_confirmation_leads_back_to_the_payment(world: World, sign_in: SignIn, step: str) -> None:
    job = world.started()
    answer = sign_in(job.freelancer).get(f"/tasks/{job.task_id}/payment/refund/{step}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/tasks/{job.task_id}/payment/")


def test_refusing_what_was_agreed_to_is_no_success(world: World, sign_in: SignIn) -> None:
    job = world.started()
    world.refund(job)
    browser, address = sign_in(job.freelancer), f"/tasks/{job.task_id}/payment/refund/"
    form = {"note": "", "request_key": str(uuid.uuid4())}
    browser.post(f"{address}accept/", hidden(browser.post(f"{address}accept/", form)))

    answer = browser.post(f"{address}refuse/", form, follow=True)

    assert "You refused." not in words(answer)
    assert job.refund.state == "pending"
