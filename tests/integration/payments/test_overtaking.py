"""News of an object that comes while another bearer of the same news is at work."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from multitask.payments.escrow import refund_outcomes
from multitask.payments.funding import payment_results
from multitask.payments.models import Operation
from multitask.payments.operations import engine
from multitask.payments.payouts import onboarding, withdrawal_outcomes, withdrawals
from multitask.payments.provider import Provider, Rejected
from tests.payments_world import World, dollars

pytestmark = pytest.mark.django_db(transaction=True)


def overtaken_after(table: str, call: Callable[[], object]) -> None:
    """Call; once the first statement that reads `table` is done, let another connection do the same to its end."""
    first = threading.Event()

    def elsewhere() -> None:
        call()
        connection.close()

    def watch(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        answer = execute(sql, *rest)
        if not first.is_set() and sql.startswith("SELECT") and f'FROM "{table}"' in sql:
            first.set()
            other = threading.Thread(target=elsewhere)
            other.start()
            # With the row locked the other one waits for us instead.
            other.join(2)
            others.append(other)
        return answer

    others: list[threading.Thread] = []
    with connection.execute_wrapper(watch):
        call()
    for other in others:
        other.join(30)
    assert others


def test_a_payment_whose_other_news_names_it_meanwhile_is_known(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    state = world.provider.read_payment(str(job.payment.provider_payment_id))
    type(job.payment).objects.update(provider_payment_id=None)
    overtaken_after("payments_payment", lambda: payment_results.confirm("stripe", state, world.now))
    assert job.escrow.state == "funded"


def test_a_refund_whose_other_news_names_it_meanwhile_is_known(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/refunds", count=1)
    world.work()
    (made,) = world.made("refund", f"create_refund:{job.refund.pk}:1")
    state = world.provider.read_refund(made["id"])
    overtaken_after("payments_refund", lambda: refund_outcomes.confirm("stripe", state, world.now))
    assert job.refund.state == "succeeded"


def test_a_payout_whose_other_news_names_it_meanwhile_is_known(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdraw(job.freelancer, dollars("85.00"))
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payouts", count=1)
    world.work()
    (made,) = world.made("payout", f"create_payout:{withdrawal.pk}:1")
    account = str(withdrawal.account.provider_account_id)
    state = world.provider.read_payout(account_id=account, payout_id=made["id"])
    overtaken_after("payments_withdrawal", lambda: withdrawal_outcomes.confirm("stripe", state, world.now))
    withdrawal.refresh_from_db()
    assert withdrawal.provider_payout_id == made["id"]


def test_an_account_whose_other_news_names_it_meanwhile_is_known(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    account = world.create_account(freelancer)
    state = world.provider.read_account(str(account.provider_account_id))
    type(account).objects.update(provider_account_id=None)
    overtaken_after("payments_connectedaccount", lambda: onboarding.confirm("stripe", state, now=world.now))
    assert world.account(freelancer).provider_account_id == state.id


class Slow:
    """Is refused, and stalls so long that another attempt has taken the operation over before it can say so."""

    def __init__(self, world: World, kind: str, overtake: Callable[..., Any]) -> None:
        self.world, self.kind, self.overtake = world, kind, overtake
        self.handler = engine._HANDLERS[kind]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.handler, name)

    def call(self, provider: Provider, operation: Operation) -> Any:
        engine.install({self.kind: self.handler})
        self.overtake(operation.pk, now=self.world.now + 2 * engine.CLAIM)
        raise Rejected("account_invalid", "The account is closed.")


@pytest.fixture(params=["succeeds", "is under way"])
def overtake(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return engine.perform if request.param == "succeeds" else engine._claim


def overtaken(world: World, kind: str, operation: Operation, overtake: Callable[..., Any]) -> Operation:
    """Perform it by an attempt that is overtaken; then let the other one come to its end."""
    handler = engine._HANDLERS[kind]
    engine.install({kind: Slow(world, kind, overtake)})
    try:
        told = engine.perform(operation.pk, now=world.now)
    finally:
        engine.install({kind: handler})
    assert told.state == ("succeeded" if overtake is engine.perform else "sent")
    world.wait(minutes=2)
    return engine.perform(operation.pk, now=world.now)


def test_a_payout_that_another_attempt_made_is_not_given_back(world: World, overtake: Callable[..., Any]) -> None:
    job = world.settled()
    withdrawal = world.withdraw(job.freelancer, dollars("85.00"))
    operation = engine.latest(withdrawals.CREATE_PAYOUT, withdrawal.pk)
    assert operation is not None

    done = overtaken(world, withdrawals.CREATE_PAYOUT, operation, overtake)

    assert (done.state, done.attempts) == ("succeeded", 2 + (overtake is not engine.perform))
    withdrawal.refresh_from_db()
    assert world.arrive(withdrawal).state == "completed"
    assert world.wallet(job.freelancer).available == dollars("0.00")
    assert world.bank_deposits(job.freelancer) == {"usd": 8_500}


def test_a_refund_that_another_attempt_made_is_not_put_back(world: World, overtake: Callable[..., Any]) -> None:
    job = world.funded()
    world.refund(job)
    operation = engine.latest("create_refund", job.refund.pk)
    assert operation is not None

    done = overtaken(world, "create_refund", operation, overtake)

    assert done.state == "succeeded"
    assert "refund_failed" not in job.history()
    assert len(world.made("refund", operation.reference)) == 1
    assert job.escrow.state == "refunded"
