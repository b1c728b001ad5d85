"""News of an object that comes while another bearer of the same news is at work."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from multitask.payments import funding, onboarding, refunds, withdrawals
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
    overtaken_after("payments_payment", lambda: funding.confirm("stripe", state, world.now))
    assert job.escrow.state == "funded"


def test_a_refund_whose_other_news_names_it_meanwhile_is_known(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/refunds", count=1)
    world.work()
    (made,) = world.made("refund", f"create_refund:{job.refund.pk}:1")
    state = world.provider.read_refund(made["id"])
    overtaken_after("payments_refund", lambda: refunds.confirm("stripe", state, world.now))
    assert job.refund.state == "succeeded"


def test_a_payout_whose_other_news_names_it_meanwhile_is_known(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdraw(job.freelancer, dollars("85.00"))
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payouts", count=1)
    world.work()
    (made,) = world.made("payout", f"create_payout:{withdrawal.pk}:1")
    account = str(withdrawal.account.provider_account_id)
    state = world.provider.read_payout(account_id=account, payout_id=made["id"])
    overtaken_after("payments_withdrawal", lambda: withdrawals.confirm("stripe", state, world.now))
    withdrawal.refresh_from_db()
    assert withdrawal.provider_payout_id == made["id"]


def test_an_account_whose_other_news_names_it_meanwhile_is_known(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    account = world.create_account(freelancer)
    state = world.provider.read_account(str(account.provider_account_id))
    type(account).objects.update(provider_account_id=None)
    overtaken_after("payments_connectedaccount", lambda: onboarding.confirm("stripe", state, now=world.now))
    assert world.account(freelancer).provider_account_id == state.id
