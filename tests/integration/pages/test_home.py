"""The home page and the pages of tasks always show the next step."""

import re
from collections.abc import Callable

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings

from multitask.marketplace import work
from multitask.payments.models import Escrow
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import payments_world
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, World

SignIn = Callable[[Actor], Client]


def needs(browser: Client) -> list[str]:
    """What the home page says needs somebody now, in its order."""
    return re.findall(r'<div class="main"><strong>(.*?)</strong>', browser.get("/").content.decode())


def test_work_to_deliver_comes_before_payouts_and_there_is_more_to_find(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    browser = sign_in(job.freelancer)
    assert needs(browser) == ["The money is in escrow: do the work and deliver it", "Set up your payouts"]
    assert 'href="/tasks/?which=open">Find work' in browser.get("/").content.decode()


def test_a_client_with_something_to_do_can_still_post_another_task(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.delivered().client)
    assert len(needs(browser)) == 1
    assert 'href="/tasks/new/">Post a task' in browser.get("/").content.decode()


def test_demo_logins_are_named_in_development_alone(db: None, settings: Settings) -> None:
    for name in ("client-0a1b2c", "freelancer-0a1b2c", "staff-0a1b2c", "egypt-client-0d1e2f", "client-of-mine"):
        User.objects.create_user(name, f"{name}@example.com", is_client=True)
    assert "client-0a1b2c" not in text_of(Client().get("/"))

    settings.ENV = django_settings.ENV.model_copy(update={"multitask_env": "development"})

    shown = text_of(Client().get("/"))
    assert "client-0a1b2c" in shown
    assert "freelancer-0a1b2c" in shown
    assert "staff-0a1b2c" in shown
    assert "egypt-client-0d1e2f" in shown
    assert "“make code” prints it" in shown
    assert "client-of-mine" not in shown


def hired(world: World) -> Job:
    return world.hired()


def funded(world: World) -> Job:
    return world.funded()


def delivered(world: World) -> Job:
    return world.delivered()


@pytest.mark.parametrize(
    ("scene", "to_client", "to_freelancer"),
    [
        (hired, "so that person", "Wait with the work until the client has paid into escrow."),
        (funded, "The freelancer does the work and delivers it.", "Deliver when the work is done"),
        (delivered, "You confirm the work and release the money", "The client confirms the work"),
    ],
)
def test_the_page_of_a_task_says_what_is_next_to_each_side(
    world: World, sign_in: SignIn, scene: Callable[[World], Job], to_client: str, to_freelancer: str
) -> None:
    job = scene(world)
    for actor, words in ((job.client, to_client), (job.freelancer, to_freelancer)):
        assert words in text_of(sign_in(actor).get(f"/tasks/{job.task_id}/"))


def test_an_open_task_says_who_chooses(world: World, sign_in: SignIn) -> None:
    client, freelancer = sign_in(world.client()), sign_in(world.freelancer(onboarded=False))
    form = {"title": "Draw a logo", "description": "A round one.", "budget": "100"}
    address = client.post("/tasks/new/", form)["Location"]
    assert "Freelancers can apply now. You choose one of them" in text_of(client.get(address))

    freelancer.post(f"{address}apply/", {"amount": "90"})

    assert "You choose one of the applications." in text_of(client.get(address))
    assert "The client chooses among the applications." in text_of(freelancer.get(address))
    assert needs(client) == ["Somebody has applied"]


def test_a_chosen_reason_is_read_in_words(world: World, sign_in: SignIn) -> None:
    job = world.started()
    sign_in(job.client).post(f"/tasks/{job.task_id}/payment/refund/", {"reason": "not_as_agreed", "note": "Square."})
    for actor in (job.client, job.freelancer):
        shown = text_of(sign_in(actor).get(f"/tasks/{job.task_id}/payment/"))
        assert "The work is not what was agreed" in shown
        assert "not_as_agreed" not in shown.replace('value="not_as_agreed"', "")


def asked_for_a_refund(world: World) -> Job:
    job = world.started()
    world.refund(job)
    return job


def released_to_nobody_known(world: World) -> Job:
    return world.released(freelancer=world.freelancer(onboarded=False))


@pytest.mark.parametrize(
    ("scene", "to_client", "to_freelancer", "leads_to"),
    [
        (funded, "The freelancer does the work", "Deliver when the work is done", "/tasks/{}/"),
        (asked_for_a_refund, "The freelancer answers the refund request", "You answer the refund request", ""),
        (released_to_nobody_known, "The freelancer sets up their payout", "You set up your payout", "/onboarding/"),
        (World.released, "then the freelancer can withdraw it", "then you can withdraw it", ""),
    ],
)
def test_the_page_of_a_payment_speaks_to_its_reader_and_leads_to_what_is_theirs_to_do(
    world: World,
    sign_in: SignIn,
    scene: Callable[[World], Job],
    to_client: str,
    to_freelancer: str,
    leads_to: str,
) -> None:
    job = scene(world)
    for actor, words in ((job.client, to_client), (job.freelancer, to_freelancer)):
        assert words in text_of(sign_in(actor).get(f"/tasks/{job.task_id}/payment/"))
    note = re.search(
        r'<div class="note">.*?</div>', sign_in(job.freelancer).get(f"/tasks/{job.task_id}/payment/").content.decode()
    )
    assert note is not None
    assert re.findall(r'href="(.*?)"', note[0]) == ([leads_to.format(job.task_id)] if leads_to else [])


def test_a_client_takes_their_own_money_back_and_does_not_refund_somebody(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    address = f"/tasks/{job.task_id}/payment/"
    to_client, to_freelancer = (text_of(sign_in(actor).get(address)) for actor in (job.client, job.freelancer))
    assert "Take the money back" in to_client
    assert "Refund the client" not in to_client
    assert "Refund the client" in to_freelancer


def test_home_asks_no_release_of_money_that_was_asked_back_or_is_held(world: World, sign_in: SignIn) -> None:
    asked, held = world.delivered(), world.delivered()
    world.refund(asked)
    Escrow.objects.filter(pk=held.escrow.pk).update(frozen_at=held.escrow.created_at)
    assert needs(sign_in(asked.client)) == []
    assert needs(sign_in(held.client)) == []


def test_home_calls_money_as_the_wallet_calls_it(world: World, sign_in: SignIn) -> None:
    browser = sign_in(world.released().freelancer)
    assert "Pending $85.00" in text_of(browser.get("/"))
    assert "Pending $85.00" in text_of(browser.get("/wallet/"))


def test_what_is_printed_says_whose_it_is_and_a_loss_has_a_minus(world: World, sign_in: SignIn) -> None:
    job = world.released()
    browser = sign_in(job.client)
    for path in (f"/tasks/{job.task_id}/payment/receipt/", "/transactions/statement/"):
        assert '<p class="print-only">MultiTask</p>' in browser.get(path).content.decode()
    assert "Difference \u2212$100.00" in text_of(browser.get("/transactions/"))


def test_titles_of_tasks_keep_their_own_direction(world: World, sign_in: SignIn) -> None:
    job = world.delivered()
    browser, payment = sign_in(job.client), f"/tasks/{job.task_id}/payment/"
    for path in ("/", "/tasks/?which=mine", payment, f"{payment}receipt/"):
        assert "<bdi>Draw a logo</bdi>" in browser.get(path).content.decode(), path


def test_a_failed_payment_is_explained_to_the_client_in_their_own_words(world: World, sign_in: SignIn) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job, payments_world.DECLINED)
    world.learn_of_payment(job)
    browser = sign_in(job.client)
    browser.cookies["django_language"] = "ar"
    shown = text_of(browser.get(f"/tasks/{job.task_id}/payment/"))
    assert "رُفضت بطاقتك." in shown
    assert "Your card was declined." not in shown


def test_the_client_of_a_task_that_was_called_off_takes_the_money_back(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    work.cancel(actor=job.freelancer, task_id=job.task_id, now=world.now)
    browser = sign_in(job.client)
    assert needs(browser) == ["The task has ended and its money is still in escrow"]
    payment = browser.get(f"/tasks/{job.task_id}/payment/")
    assert "Take $100.00 back" in text_of(payment)
    sent = {"amount": "", "reason": "not_needed", "note": "", "request_key": "5f9d3c4e-0000-4000-8000-000000000001"}
    shown = browser.post(f"/tasks/{job.task_id}/payment/refund/", sent)
    assert "Back to" in text_of(shown)
    version = re.search(r'name="confirmed" value="([^"]*)"', shown.content.decode())
    assert version is not None
    browser.post(f"/tasks/{job.task_id}/payment/refund/", sent | {"confirmed": version[1]})
    world.work()
    assert job.escrow.state == "refunded"
    assert needs(browser) == []
    assert "Take $100.00 back" not in text_of(sign_in(job.freelancer).get(f"/tasks/{job.task_id}/payment/"))
