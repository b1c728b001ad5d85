"""The payment page of a task, before there is a payment and for whom it is not."""

from collections.abc import Callable

from django.test import Client

from multitask.users.actor import Actor
from tests.integration.pages.reading import text_of
from tests.payments_world import DECLINED, World, dollars

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


# -- each side sees only its own


def test_the_client_does_not_see_what_the_freelancer_withdrew(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("60.00")))
    address = f"/tasks/{job.task_id}/payment/"

    shown = text_of(sign_in(job.client).get(address))
    assert "Released to the freelancer $85.00" in shown
    assert "bank" not in shown
    assert "$60.00" not in shown
    for reader in (job.freelancer, world.staff()):
        shown = text_of(sign_in(reader).get(address))
        assert "Paid to the freelancer's bank $60.00" in shown.replace("&#x27;", "'")
        assert "Available to the freelancer $25.00" in shown


def test_the_freelancer_does_not_see_the_clients_declined_cards(world: World, sign_in: SignIn) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job, DECLINED)
    world.learn_of_payment(job)
    page, api = f"/tasks/{job.task_id}/payment/", f"/payments/escrow/{job.escrow.pk}/"
    seen = {}
    for name, reader in (("client", job.client), ("freelancer", job.freelancer), ("staff", world.staff())):
        browser = sign_in(reader)
        is_on_page = "A payment attempt was declined" in text_of(browser.get(page))
        is_in_api = "payment_failed" in [event["event"] for event in browser.get(api).json()["timeline"]]
        is_in_list = "payment_failed" in browser.get("/payments/escrow/").content.decode()
        seen[name] = (is_on_page, is_in_api, is_in_list)
    assert seen == {"client": (True,) * 3, "freelancer": (False,) * 3, "staff": (True,) * 3}
