"""The payment page of a task, before there is a payment and for whom it is not."""

from collections.abc import Callable

from django.test import Client

from multitask.users.actor import Actor
from tests.payments_world import World

SignIn = Callable[[Actor], Client]


def test_before_there_is_money_it_leads_its_people_to_the_task(world: World, sign_in: SignIn) -> None:
    job = world.hired()
    for person in (job.client, job.freelancer):
        answer = sign_in(person).get(f"/tasks/{job.task_id}/payment/")
        assert (answer.status_code, answer.headers.get("Location")) == (302, f"/tasks/{job.task_id}/")
    assert sign_in(world.client()).get(f"/tasks/{job.task_id}/payment/").status_code == 404
    assert sign_in(world.client()).get("/tasks/99999999/payment/").status_code == 404


def test_money_is_shown_to_its_two_sides_and_to_no_other_client(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    address = f"/tasks/{job.task_id}/payment/"
    assert [sign_in(person).get(address).status_code for person in (job.client, job.freelancer)] == [200, 200]
    assert sign_in(world.client()).get(address).status_code == 404
