"""Each action on payout budgets and payments of a platform route asks for a code when the last proof is too old."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from multitask.payments.escrow import refund_payouts
from multitask.payments.payouts import budget
from multitask.payments.provider import PayoutStatus
from multitask.users.actor import Actor
from tests.egypt_world import EgyptWorld, disbursement_of, pounds
from tests.integration.backoffice.carrying_out import require_code_and_go_on
from tests.integration.backoffice.conftest import browser
from tests.integration.backoffice.test_second_factor import OF_BUDGETS
from tests.integration.egypt.test_undecided_payouts import undecided
from tests.integration.egypt.test_unnamed_tries import paid_by_first, poll

assert browser  # the fixture

Scene = tuple[int, dict[str, Any]]


def compared(world: EgyptWorld) -> int:
    return budget.compare(provider="paymob", currency="EGP", now=world.now).pk


def record(amount: str) -> dict[str, Any]:
    return {"amount": amount, "happened_on": timezone.localdate().isoformat(), "reference": "R-1"}


def to_decide(world: EgyptWorld) -> int:
    return undecided(world)[1].pk


def to_call_off(world: EgyptWorld) -> int:
    payee = world.payee()
    world.earned(payee)
    return disbursement_of(world.withdraw(payee, pounds("850.00"))).pk


def to_explain(world: EgyptWorld) -> int:
    payee = world.payee()
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    payout = disbursement_of(world.withdrawn(payee, pounds("850.00")))
    paid = world.paymob_provider.read_disbursement(str(payout.provider_payout_id))
    returned = replace(paid, status=PayoutStatus.FAILED, failure_code="000100")
    for state in (returned, paid):
        refund_payouts.confirm("paymob", state, world.now)
    return payout.pk


def to_name(world: EgyptWorld) -> Scene:
    job, first, _ = paid_by_first(world)
    poll(world)
    return job.payment.pk, {"transaction_id": first}


COSTS = {"fee": "5.00", "tax": "0.70", "happened_on": timezone.localdate().isoformat(), "reference": "INV-1"}
SCENES: dict[str, Callable[[EgyptWorld], Scene]] = {
    "record-settlement": lambda world: (compared(world), {**record("1000.00"), "fee": "27.50"}),
    "record-top-up": lambda world: (compared(world), record("500.00")),
    "record-costs": lambda world: (compared(world), COSTS),
    "record-credit": lambda world: (compared(world), COSTS),
    "compare-budget": lambda world: (compared(world), {}),
    "correct-record": lambda world: (world.record_top_up(pounds("500.00")).pk, {}),
    "look-up-payout": lambda world: (to_decide(world), {}),
    "payout-was-paid": lambda world: (to_decide(world), {"provider_payout_id": "9001"}),
    "payout-was-not-made": lambda world: (to_decide(world), {}),
    "call-off-withdrawal": lambda world: (to_call_off(world), {}),
    "explain-paid": lambda world: (to_explain(world), {}),
    "name-try": to_name,
}


def test_the_scenes_are_those_of_all_actions() -> None:
    assert SCENES.keys() == OF_BUDGETS


@pytest.mark.parametrize("name", sorted(SCENES))
def test_an_action_asks_for_a_code(world: EgyptWorld, browser: Callable[[Actor], Client], name: str) -> None:
    require_code_and_go_on(world, browser, name, *SCENES[name](world))
