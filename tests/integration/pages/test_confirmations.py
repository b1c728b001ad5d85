"""Release, deliver and call off are final: each is shown before it is done, and done only once it is confirmed."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client

from multitask.marketplace import work
from multitask.marketplace.models import Task
from multitask.payments.models import Escrow
from multitask.users.actor import Actor
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, World, dollars

SignIn = Callable[[Actor], Client]
FIELD = re.compile(r'<input type="hidden" name="(confirmed|request_key)" value="([^"]*)">')
FINISHED = "This has been done already."


def words(answer: Any) -> str:
    return unescape(text_of(answer))


def confirmed(browser: Client, address: str) -> dict[str, str]:
    """The hidden fields of the confirmation page's form."""
    fields = dict(FIELD.findall(browser.get(address).content.decode()))
    assert set(fields) == {"confirmed"}
    return {name: unescape(value) for name, value in fields.items()}


def state(job: Job) -> tuple[str, str]:
    return Task.objects.get(pk=job.task_id).status, job.escrow.state


def addresses(world: World) -> dict[str, tuple[Job, Actor, str]]:
    """Each final step: its job, who takes it, and where."""
    completed, delivered, started, assigned = world.completed(), world.delivered(), world.started(), world.funded()
    return {
        "release": (completed, completed.client, f"/tasks/{completed.task_id}/payment/release/"),
        "confirm": (delivered, delivered.client, f"/tasks/{delivered.task_id}/payment/confirm/"),
        "deliver": (started, started.freelancer, f"/tasks/{started.task_id}/deliver/"),
        "cancel": (assigned, assigned.client, f"/tasks/{assigned.task_id}/cancel/"),
    }


DONE = {
    "release": ("completed", "released"),
    "confirm": ("completed", "released"),
    "deliver": ("delivered", "funded"),
    "cancel": ("cancelled", "funded"),
}
DONE_WORDS = {
    "release": "Released.",
    "confirm": "Confirmed and released.",
    "deliver": "Delivered. The client was asked to confirm.",
    "cancel": "The task was called off.",
}
EVENTS = {"release": "released", "confirm": "released", "deliver": "delivered", "cancel": "task_cancelled"}


@pytest.mark.parametrize("step", DONE)
def test_nothing_is_done_before_it_is_confirmed(world: World, sign_in: SignIn, step: str) -> None:
    job, actor, address = addresses(world)[step]
    browser, before = sign_in(actor), state(job)

    for answer in (browser.get(address), browser.post(address), browser.post(address, {"confirmed": "yes"})):
        assert answer.status_code == 200
        assert 'name="confirmed"' in answer.content.decode()
    assert state(job) == before

    answer = browser.post(address, confirmed(browser, address))
    assert answer.status_code == 302
    assert state(job) == DONE[step]


@pytest.mark.parametrize("step", DONE)
def test_what_was_confirmed_twice_is_done_once(world: World, sign_in: SignIn, step: str) -> None:
    job, actor, address = addresses(world)[step]
    browser = sign_in(actor)
    form = confirmed(browser, address)

    first, second = (browser.post(address, form, follow=True) for _ in range(2))

    assert (DONE_WORDS[step] in words(first), DONE_WORDS[step] in words(second)) == (True, True)
    assert "present state" not in words(second)
    assert state(job) == DONE[step]
    assert job.history().count(EVENTS[step]) == 1


@pytest.mark.parametrize("step", DONE)
def test_the_page_of_a_finished_action_leads_back_without_an_error(world: World, sign_in: SignIn, step: str) -> None:
    job, actor, address = addresses(world)[step]
    browser = sign_in(actor)
    browser.post(address, confirmed(browser, address))
    browser.get("/")  # Shows the message of the action itself.

    answer = browser.get(address, follow=True)

    assert [status for _address, status in answer.redirect_chain] == [302]
    assert FINISHED in words(answer)
    assert "present state" not in words(answer)
    assert state(job) == DONE[step]


def test_what_somebody_else_did_is_no_success_of_ones_own(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    browser, address = sign_in(job.client), f"/tasks/{job.task_id}/cancel/"
    form = confirmed(browser, address)
    work.cancel(actor=job.freelancer, task_id=job.task_id, now=world.now)

    answer = words(browser.post(address, form, follow=True))

    assert "This cannot be done in the present state." in answer
    assert DONE_WORDS["cancel"] not in answer


def test_a_whole_refund_is_not_taken_for_a_task_that_was_called_off(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    browser, address = sign_in(job.client), f"/tasks/{job.task_id}/cancel/"
    form = confirmed(browser, address)
    world.refund(job)
    world.work()
    assert state(job) == ("cancelled", "refunded")

    assert DONE_WORDS["cancel"] not in words(browser.post(address, form, follow=True))


def test_what_is_not_possible_leads_back_and_says_so(world: World, sign_in: SignIn) -> None:
    job = world.delivered()
    for actor, address, back in (
        (job.client, f"/tasks/{job.task_id}/payment/release/", f"/tasks/{job.task_id}/payment/"),
        (job.freelancer, f"/tasks/{job.task_id}/payment/confirm/", f"/tasks/{job.task_id}/payment/"),
        (job.client, f"/tasks/{job.task_id}/deliver/", f"/tasks/{job.task_id}/"),
        (job.client, f"/tasks/{job.task_id}/cancel/", f"/tasks/{job.task_id}/"),
    ):
        browser = sign_in(actor)
        for answer in (browser.get(address, follow=True), browser.post(address, follow=True)):
            assert answer.redirect_chain == [(back, 302)]
            assert "This cannot be done in the present state." in words(answer)
        # Confirmed all the same.
        assert browser.post(address, {"confirmed": "x"}).status_code == 302
    assert state(job) == ("delivered", "funded")


def test_what_has_changed_meanwhile_is_shown_before_it_is_done(world: World, sign_in: SignIn) -> None:
    job = world.completed()
    browser, address = sign_in(job.client), f"/tasks/{job.task_id}/payment/release/"
    form = confirmed(browser, address)
    world.refund(job, job.freelancer, dollars("30.00"))
    world.work()

    answer = browser.post(address, form)

    assert answer.status_code == 200
    assert "Something has changed since you opened this page." in words(answer)
    assert "Leaves escrow $70.00" in words(answer)
    assert job.escrow.state == "funded"
    assert browser.post(address, confirmed(browser, address)).status_code == 302
    assert (job.escrow.state, job.escrow.released_minor) == ("released", 7_000)


# -- what each page shows


def test_release_shows_who_gets_what(world: World, sign_in: SignIn) -> None:
    job = world.completed()
    shown = words(sign_in(job.client).get(f"/tasks/{job.task_id}/payment/release/"))
    name = job.escrow.freelancer.username
    assert f"Leaves escrow $100.00 To {name} $85.00 Platform fee (15.00%) $15.00" in shown
    assert "This cannot be undone" in shown


def test_deliver_shows_what_the_client_can_do_and_when_silence_releases(world: World, sign_in: SignIn) -> None:
    job = world.started()
    Escrow.objects.update(auto_release_days=9)
    shown = words(sign_in(job.freelancer).get(f"/tasks/{job.task_id}/deliver/"))
    client = job.escrow.client.username
    assert f"{client} is asked to confirm the work and to release the money." in shown
    assert f"{client} can also ask you for a refund, or open a dispute" in shown
    assert "released to you automatically, 9 days after the delivery." in shown
    assert "You get when it is released $85.00" in shown


def test_a_contested_payment_offers_no_delivery(world: World, sign_in: SignIn) -> None:
    job = world.started()
    Escrow.objects.update(frozen_at=world.now)
    browser = sign_in(job.freelancer)
    led = browser.get(f"/tasks/{job.task_id}/deliver/")
    assert (led.status_code, led["Location"]) == (302, f"/tasks/{job.task_id}/")
    assert f"/tasks/{job.task_id}/deliver/" not in browser.get(led["Location"]).content.decode()


def test_an_open_refund_is_named_before_delivery_and_before_calling_off(world: World, sign_in: SignIn) -> None:
    job = world.started()
    world.refund(job, job.client, dollars("30.00"))
    for step in ("deliver", "cancel"):
        shown = words(sign_in(job.freelancer).get(f"/tasks/{job.task_id}/{step}/"))
        assert "A refund of $30.00 has been asked for or is on its way. It is decided first." in shown


def cancelling(sign_in: SignIn, actor: Actor, job: Job) -> str:
    return words(sign_in(actor).get(f"/tasks/{job.task_id}/cancel/"))


def test_calling_off_shows_what_happens_to_the_money(world: World, sign_in: SignIn) -> None:
    job = world.hired()
    assert "Nothing has been paid into escrow, so no money moves." in cancelling(sign_in, job.client, job)
    world.ask_to_pay(job)
    assert "The payment that was begun is cancelled." in cancelling(sign_in, job.client, job)
    world.pay(job)
    world.learn_of_payment(job)
    name = job.escrow.client.username
    assert "$100.00 stays in escrow until you take it back" in cancelling(sign_in, job.client, job)
    shown = cancelling(sign_in, job.freelancer, job)
    assert f"$100.00 stays in escrow, and {name} can take all of it back at once." in shown
    assert "You get nothing for this task." in shown


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "disputed"}, "A dispute is open"),
        ({"frozen": True}, "The cardholder's bank has contested this payment"),
        ({"state": "refunded"}, "There is nothing left in escrow, so no money moves."),
    ],
)
@pytest.mark.breaks_the_books
def test_calling_off_says_where_the_money_stays_when_it_cannot_move(
    world: World, sign_in: SignIn, changes: dict[str, Any], told: str
) -> None:
    job = world.started()
    frozen_at = world.now if changes.pop("frozen", False) else None
    Escrow.objects.update(frozen_at=frozen_at, **changes)
    assert told in cancelling(sign_in, job.freelancer, job)


def test_an_open_task_is_called_off_with_its_applications(world: World, sign_in: SignIn) -> None:
    client = world.client()
    browser = sign_in(client)
    browser.post("/tasks/new/", {"title": "A logo", "description": "In blue.", "budget": "100.00"})
    task = Task.objects.latest("pk")
    address = f"/tasks/{task.pk}/cancel/"
    assert "Applications that are still open are turned down." in words(browser.get(address))
    assert browser.post(address, confirmed(browser, address)).status_code == 302
    assert Task.objects.get(pk=task.pk).status == "cancelled"


# -- staff


@pytest.mark.parametrize("step", DONE)
def test_staff_takes_no_step_on_the_pages_of_the_two_sides(world: World, sign_in: SignIn, step: str) -> None:
    job, _actor, address = addresses(world)[step]
    browser, before = sign_in(world.staff("admin")), state(job)
    assert [browser.get(address).status_code, browser.post(address, {"confirmed": "x"}).status_code] == [403, 403]
    assert state(job) == before


def test_staff_refunds_and_disputes_nothing_on_the_page_of_the_two_sides(world: World, sign_in: SignIn) -> None:
    job = world.completed()
    browser, address = sign_in(world.staff("admin")), f"/tasks/{job.task_id}/payment/"
    assert "What you can do now" not in text_of(browser.get(address))
    assert browser.post(f"{address}refund/", {"reason": "other"}).status_code == 403
    assert browser.post(f"{address}dispute/", {"reason": "It is not round."}).status_code == 403
    assert not job.escrow.refunds.exists()
