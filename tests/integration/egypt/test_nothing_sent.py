"""Faults before a call that moves money: nothing was sent, so the call is made later without anybody's help."""

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings
from structlog.testing import capture_logs

from multitask.payments.models import Operation
from multitask.payments.operations import engine
from multitask.payments.payouts import budget
from tests.egypt_world import EgyptWorld, pounds


def work_for_an_hour(world: EgyptWorld) -> None:
    for _ in range(4):
        world.work()
        world.wait(minutes=20)


@pytest.mark.parametrize("fault", ["drop_request", "drop_response"])
def test_a_token_of_which_no_answer_came_does_not_hold_a_payout(world: EgyptWorld, fault: str) -> None:
    payee = world.payee()
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    world.paymob_provider._paying_out._token = None
    world.paymob.add_fault(fault, method="POST", path="*/o/token/", count=1)

    withdrawal = world.withdrawn(payee, pounds("850.00"))
    operation = Operation.objects.get(kind="disburse")
    assert (operation.state, operation.last_error_code) == ("pending", "connection_failed")
    work_for_an_hour(world)

    withdrawal.refresh_from_db()
    assert (withdrawal.state, len(world.payouts_there())) == ("completed", 1)


def test_a_read_before_a_refund_of_which_no_answer_came_does_not_hold_the_refund(world: EgyptWorld) -> None:
    job = world.funded()
    world.refund(job, amount=pounds("300.00"))
    world.paymob.add_fault("drop_response", method="GET", path="*/acceptance/transactions/*", count=1)

    world.work()
    operation = Operation.objects.get(kind="create_refund")
    assert (operation.state, operation.last_error_code) == ("pending", "connection_failed")
    work_for_an_hour(world)

    assert job.refund.state == "succeeded"
    assert world.paymob_provider.read_payment(str(job.payment.provider_payment_id)).refunded == pounds("300.00")


def test_a_payout_waits_while_no_key_decrypts_its_details(world: EgyptWorld, settings: Settings) -> None:
    payee = world.payee()
    world.earned(payee)
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    world.paymob.control("POST", "topups", {"amount": 200_000})
    keys = settings.DESTINATION_KEYS
    settings.DESTINATION_KEYS = [Fernet.generate_key().decode()]
    with capture_logs() as logged:
        world.record_top_up(pounds("2000.00"))
    operation = Operation.objects.get(kind="disburse")
    assert (operation.state, operation.last_error_code) == ("pending", "details_unreadable")
    assert [each["log_level"] for each in logged if each["event"] == "payout_details_unreadable"] == ["error"]

    settings.DESTINATION_KEYS = keys
    world.wait(minutes=20)
    engine.perform(operation.pk, now=world.now)

    withdrawal.refresh_from_db()
    assert (withdrawal.state, len(world.payouts_there())) == ("completed", 1)
    assert budget.waiting(now=world.now) == []
