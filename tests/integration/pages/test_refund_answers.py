"""Finance staff answers a refund request by the API or in the back office; the page is for the two sides."""

import json
from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from multitask.users.actor import Actor
from tests.payments_world import World, dollars

SignIn = Callable[[Actor], Client]


def post(browser: Client, address: str, **body: str) -> tuple[int, dict[str, str]]:
    answer = browser.post(address, json.dumps(body), content_type="application/json")
    return answer.status_code, answer.json()


def test_staff_accepts_by_the_api(world: World, sign_in: SignIn) -> None:
    job = world.started()
    world.refund(job)

    status, told = post(sign_in(world.staff()), f"/payments/refunds/{job.refund.pk}/accept/", note="Agreed")

    assert (status, told["status"], told["answer_note"]) == (200, "pending", "Agreed")


def test_a_large_one_stays_asked_for_until_a_second_person_approves(world: World, sign_in: SignIn) -> None:
    job, browser = world.started(dollars("2500.00")), sign_in(world.staff())
    world.refund(job)

    status, told = post(browser, f"/payments/refunds/{job.refund.pk}/accept/")

    assert (status, told["status"]) == (202, "requested")
    assert post(browser, f"/payments/refunds/{job.refund.pk}/refuse/")[0] == 409


def test_support_answers_nothing(world: World, sign_in: SignIn) -> None:
    job = world.started()
    world.refund(job)

    status, _ = post(sign_in(world.staff("support")), f"/payments/refunds/{job.refund.pk}/refuse/")

    assert (status, job.refund.state) == (403, "requested")


def test_the_page_of_the_two_sides_offers_staff_no_answer(world: World, sign_in: SignIn) -> None:
    job, browser = world.started(), sign_in(world.staff())
    world.refund(job)
    accept = reverse("pages:refund-accept", args=[job.task_id])

    page = browser.get(reverse("pages:payment", args=[job.task_id])).content.decode()

    assert accept not in page
    assert "What you can do now" not in page
    assert browser.post(accept).status_code == 403
    assert job.refund.state == "requested"
