"""A refund that is paid out waits, and its client and the staff are told, while no destination takes its amount."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from django.test import Client

from multitask.payments.escrow import refund_payouts
from multitask.payments.models import Disbursement, Notice, PayoutDestination
from multitask.payments.notices import notices, wording
from multitask.payments.payouts import destinations
from multitask.payments.payouts.payee_errors import DestinationCannotTakeRefund
from multitask.payments.reads import where
from multitask.users.actor import Actor
from multitask.web.backoffice import work_queue
from tests.egypt_world import COOL_DOWN, EgyptWorld, pounds
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, user_id

SignIn = Callable[[Actor], Client]
ACCOUNT = {"account_number": "1234567890", "bank_code": "CIB", "full_name": "Mona Ali Hassan"}
WALLET = {"issuer": "vodafone", "msisdn": "01000000001"}


def paid_in_cash(world: EgyptWorld, amount: str = "1000.00") -> Job:
    job = world.hired(pounds(amount), client=world.client())
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    return job


def add(world: EgyptWorld, actor: Actor, kind: str, given: Mapping[str, str]) -> PayoutDestination:
    return destinations.add(actor=actor, currency="EGP", kind=kind, given=given, proof=world.proof(), now=world.now)


def reason(world: EgyptWorld, job: Job) -> tuple[str, str]:
    [row] = [row for row in where.of_escrow(job.client, job.escrow, world.now) if row.place.value == "refunding"]
    return row.reason.value, str(row.depends_on)


@pytest.fixture
def unfit(world: EgyptWorld) -> Job:
    """A refund of 50 pounds whose client has an account for InstaPay, which takes 112 and more."""
    job = paid_in_cash(world)
    add(world, job.client, "instapay", ACCOUNT)
    world.wait(COOL_DOWN)
    world.refund(job, amount=pounds("50.00"))
    world.allot()
    return job


def test_the_client_reads_that_the_destination_does_not_take_the_amount(
    world: EgyptWorld, unfit: Job, sign_in: SignIn
) -> None:
    assert reason(world, unfit) == ("refund_needs_other_destination", "client")
    assert Disbursement.objects.count() == 0
    browser = sign_in(unfit.client)
    assert "do not take this amount" in text_of(browser.get(unfit.escrow.agreement.link))
    assert "too small or too large" in text_of(browser.get("/payout-details/"))


def test_the_client_gets_one_notice_and_the_staff_sees_it_after_a_while(world: EgyptWorld, unfit: Job) -> None:
    for _ in range(3):
        assert refund_payouts.due(now=world.now) == []
        assert not work_queue.refunds_without_destination(world.now).exists()
        world.wait(minutes=1)
        world.allot()
        notices.collect(now=world.now)
        world.lose_jobs()
    notice = Notice.objects.get(user_id=user_id(unfit.client), kind="refund_needs_other_destination")
    assert (wording.of(notice).address, "50.00" in wording.of(notice).text) == ("/payout-details/", True)

    world.wait(timedelta(days=3))
    assert work_queue.refunds_without_destination(world.now).get() == unfit.refund


def test_a_destination_that_takes_it_ends_the_wait_also_in_its_cool_down(world: EgyptWorld, unfit: Job) -> None:
    world.fill_budget(pounds("2000.00"))
    added = add(world, unfit.client, "wallet", WALLET)
    assert reason(world, unfit) == ("refund_under_way", "provider")
    world.allot()
    payout = Disbursement.objects.get()
    assert (payout.destination, payout.usable_from) == (added, added.usable_from)
    world.wait(COOL_DOWN)
    world.allot()
    assert unfit.refund.state == "succeeded"


def test_a_destination_that_does_not_take_a_waiting_refund_is_refused(world: EgyptWorld) -> None:
    small, large = paid_in_cash(world), paid_in_cash(world, "70000.00")
    world.refund(small, amount=pounds("50.00"))
    world.refund(large)
    with pytest.raises(DestinationCannotTakeRefund) as refused:
        add(world, small.client, "instapay", ACCOUNT)
    assert refused.value.code == "destination_cannot_take_refund"
    with pytest.raises(DestinationCannotTakeRefund):
        add(world, large.client, "wallet", WALLET)
    assert not PayoutDestination.objects.exists()
    add(world, small.client, "wallet", WALLET)
    add(world, large.client, "bank", ACCOUNT)


def test_a_destination_that_was_removed_is_named_as_missing_again(world: EgyptWorld) -> None:
    job = paid_in_cash(world)
    world.refund(job)
    added = add(world, job.client, "wallet", WALLET)
    world.allot()
    assert reason(world, job) == ("refund_under_way", "provider")
    destinations.remove(actor=job.client, destination_id=added.public_id, proof=world.proof(), now=world.now)
    assert reason(world, job) == ("refund_awaits_destination", "client")
