"""What the pages say is next: to whom it applies, and only what has happened."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse

from multitask.marketplace import applications, tasks, work
from multitask.users.actor import Actor
from tests.integration.pages.test_confirmations import words
from tests.integration.web.test_consistent_answers import fail_refund, refunded
from tests.payments_world import World, dollars

SignIn = Callable[[Actor], Client]


@pytest.mark.parametrize("page", ["", "payment/"])
def test_a_refund_that_came_back_is_not_called_a_task_that_was_called_off(
    world: World, sign_in: SignIn, page: str
) -> None:
    job = refunded(world)
    fail_refund(world, job)
    address = f"/tasks/{job.task_id}/{page}"

    to_client, to_freelancer = (words(sign_in(actor).get(address)) for actor in (job.client, job.freelancer))

    assert "The refund did not reach your card, so the money is in escrow again. You can take it back;" in to_client
    assert "The refund did not reach the client's card, so the money is in escrow again." in to_freelancer
    assert "called off" not in to_client + to_freelancer


def test_a_task_that_was_called_off_is_called_so(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    work.cancel(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert "The task was called off: the client can take the money back at once." in words(
        sign_in(job.client).get(f"/tasks/{job.task_id}/payment/")
    )


def test_only_an_applicant_is_told_that_they_will_be_told(world: World, sign_in: SignIn) -> None:
    client, freelancer, staff = world.client(), world.freelancer(onboarded=False), world.staff("support")
    task = tasks.post_task(
        actor=client, now=world.now, title="Draw a logo", description="A round one", budget=dollars("100.00")
    )
    applications.apply(actor=freelancer, now=world.now, task_id=task.pk)
    told = {
        name: "you are told" in words(sign_in(actor).get(f"/tasks/{task.pk}/"))
        for name, actor in (("client", client), ("freelancer", freelancer), ("staff", staff))
    }
    assert told == {"client": False, "freelancer": True, "staff": False}


def test_the_terms_are_those_of_the_accepted_application(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    page = words(sign_in(job.client).get(f"/tasks/{job.task_id}/payment/"))
    assert "Fixed when the application was accepted; later changes do not touch them." in page


def test_work_is_confirmed_on_the_payment_page_alone(world: World, sign_in: SignIn) -> None:
    job = world.delivered()
    with pytest.raises(NoReverseMatch):
        reverse("pages:task-complete", args=[job.task_id])
    assert sign_in(job.client).post(f"/tasks/{job.task_id}/complete/").status_code == 404
    assert "completed" not in job.history()
