"""A client whose refund cannot go back the way it was paid is asked where it goes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from multitask import due
from multitask.marketplace import work
from multitask.payments.errors import WrongState
from multitask.payments.escrow import refund_payouts
from multitask.payments.models import Disbursement, Notice, PayoutDestination
from multitask.payments.notices import notices, wording
from multitask.payments.payouts import destinations
from multitask.payments.payouts.payee_errors import InvalidPayeeDetails
from multitask.payments.reads import where
from multitask.users.actor import Actor
from tests.egypt_world import COOL_DOWN, FAILS, SUCCEEDS, EgyptWorld, pounds
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, user_id

SignIn = Callable[[Actor], Client]


@pytest.fixture
def refunded(world: EgyptWorld) -> Job:
    """A job that was paid at a kiosk, and whose refund waits."""
    job = world.hired(pounds("1000.00"), client=world.client())
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    world.refund(job)
    for _ in range(2):
        world.allot()
    return job


def reasons(reader: Actor, job: Job, world: EgyptWorld) -> list[str]:
    return [row.reason.value for row in where.of_escrow(reader, job.escrow, world.now)]


def test_the_reason_is_named_to_the_client_until_there_is_a_destination(world: EgyptWorld, refunded: Job) -> None:
    [row] = where.of_escrow(refunded.client, refunded.escrow, world.now)
    assert (row.reason.value, row.depends_on) == ("refund_awaits_destination", where.Party.CLIENT)
    assert reasons(refunded.freelancer, refunded, world) == ["refund_under_way"]

    world.add_wallet(refunded.client, "01000000001")
    assert reasons(refunded.client, refunded, world) == ["refund_under_way"]


def test_the_client_gets_one_notice(world: EgyptWorld, refunded: Job) -> None:
    notices.collect(now=world.now)
    notice = Notice.objects.get(user_id=user_id(refunded.client), kind="refund_awaits_destination")
    assert wording.of(notice).address == "/payout-details/"


def test_whether_refunds_wait_is_asked_in_as_many_statements_for_many(world: EgyptWorld, refunded: Job) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as made:
            assert due.CHECKS["allot_budgets"](world.now)
        return len(made)

    for_one = statements()
    for _ in range(2):
        other = world.hired(pounds("1000.00"), client=refunded.client)
        world.ask_to_pay(other)
        world.pay_there(other, method="kiosk", passed=True)
        world.learn_of_payment(other)
        world.refund(other)
        world.allot()

    assert len(refund_payouts.without_destination(now=world.now)) == 3
    assert statements() == for_one


def test_the_pages_lead_the_client_to_the_payout_details(world: EgyptWorld, refunded: Job, sign_in: SignIn) -> None:
    browser = sign_in(refunded.client)
    page = browser.get(refunded.escrow.agreement.link)
    assert "choose where it goes" in text_of(page)
    assert 'href="/payout-details/"' in page.content.decode()

    details = text_of(browser.get("/payout-details/"))
    assert "Your refund can go to a bank account" in details
    assert "Who you are" not in details
    assert sign_in(world.client()).get("/payout-details/").status_code == 302


def test_the_client_reads_of_the_refund_and_not_of_withdrawals(
    world: EgyptWorld, refunded: Job, sign_in: SignIn
) -> None:
    browser = sign_in(refunded.client)
    assert "Choose where your refund goes" in text_of(browser.get("/"))
    assert "Your refund waits until then." in text_of(browser.get("/payout-details/add/wallet/"))

    added = world.add_wallet(refunded.client, SUCCEEDS)
    world.allot()
    assert "Choose where your refund goes" not in text_of(browser.get("/"))
    details = text_of(browser.get("/payout-details/"))
    assert "Your refund leaves from" in details
    assert "To do" not in details
    payment = text_of(browser.get(refunded.escrow.agreement.link))
    assert "Your refund waits, since your payout details are new." in payment
    removing = text_of(browser.get(f"/payout-details/{added.public_id}/remove/"))
    for page in (details, removing, text_of(browser.get("/payout-details/add/wallet/"))):
        assert "ithdraw" not in page
    other = sign_in(refunded.freelancer).get(refunded.escrow.agreement.link)
    assert "payout details are new" not in text_of(other)


def test_a_wallet_that_is_paid_by_name_takes_the_holders_name_of_a_client(world: EgyptWorld, refunded: Job) -> None:
    given = {"issuer": "orange", "msisdn": "01200000001"}

    def add(**more: str) -> PayoutDestination:
        return destinations.add(
            actor=refunded.client, currency="EGP", kind="wallet", given=given | more, proof=world.proof(), now=world.now
        )

    with pytest.raises(InvalidPayeeDetails) as refused:
        add()
    assert (refused.value.code, list(refused.value.fields)) == ("required", ["full_name"])
    add(full_name="Mona Ali")
    world.fill_budget(pounds("2000.00"))
    world.wait(COOL_DOWN)
    world.allot()
    world.learn_of_disbursement(Disbursement.objects.get())
    assert refunded.refund.state in {"pending", "succeeded"}
    [there] = world.payouts_there()
    assert there["status"] != "failed"


def test_a_refund_is_paid_to_a_client_whose_identity_nobody_has_confirmed(world: EgyptWorld, refunded: Job) -> None:
    both = replace(refunded.client, is_freelancer=True)
    world.submit_identity(both)
    world.add_wallet(both, SUCCEEDS)
    world.fill_budget(pounds("2000.00"))
    world.wait(COOL_DOWN)
    world.allot()
    assert refunded.refund.state == "succeeded"


def test_no_work_begins_while_everything_goes_back_and_the_client_keeps_the_right_to_it(
    world: EgyptWorld, refunded: Job
) -> None:
    for step in (work.start, work.deliver):
        with pytest.raises(WrongState, match="on its way back"):
            step(actor=refunded.freelancer, task_id=refunded.task_id, now=world.now)
    world.fill_budget(pounds("2000.00"))
    world.add_wallet(refunded.client, FAILS)
    world.wait(COOL_DOWN)
    world.allot()
    failed = refunded.refund
    assert (failed.state, refunded.escrow.state) == ("failed", "funded")

    world.refund(refunded)
    assert refunded.refund.state == "pending", "at once, since no work has begun"


def test_work_goes_on_while_a_part_goes_back(world: EgyptWorld) -> None:
    job = world.hired(pounds("1000.00"), client=world.client())
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    world.refund(job, amount=pounds("400.00"))
    work.start(actor=job.freelancer, task_id=job.task_id, now=world.now)
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert job.task.status == "delivered"
