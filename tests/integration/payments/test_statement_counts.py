"""How many SQL statements and transactions each step of the money's way takes."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from multitask.payments.models import Operation
from multitask.payments.operations import engine
from tests.payments_world import World, dollars

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command sent to the database."""

    statements: list[str]
    transactions: int


def cost_of(command: Callable[[], object]) -> Cost:
    with CaptureQueriesContext(connection) as captured:
        command()
    sent = [query["sql"] for query in captured.captured_queries]
    statements = [sql for sql in sent if sql not in {"BEGIN", "COMMIT", "ROLLBACK"}]
    return Cost(statements, sent.count("COMMIT"))


def require_at_most(cost: Cost, statements: int) -> None:
    assert len(cost.statements) <= statements, "\n".join(cost.statements)


def test_an_intent_of_a_new_client(world: World) -> None:
    job = world.hired()
    cost = cost_of(lambda: world.ask_to_pay(job))
    require_at_most(cost, 26)
    assert cost.transactions <= 3


def test_an_intent_of_a_known_client(world: World) -> None:
    known = world.funded()
    job = world.hired(client=known.client)
    cost = cost_of(lambda: world.ask_to_pay(job))
    require_at_most(cost, 21)
    assert cost.transactions <= 2


def test_a_release(world: World) -> None:
    job = world.completed()
    cost = cost_of(lambda: world.release(job))
    require_at_most(cost, 3)
    assert cost.transactions == 1


def test_the_job_of_a_transfer(world: World) -> None:
    job = world.completed()
    world.release(job)
    transfer = job.transfer
    cost = cost_of(lambda: engine.perform(transfer.pk, now=world.now))
    require_at_most(cost, 12)
    assert job.transfer.state == "succeeded"


def test_a_withdrawal(world: World) -> None:
    job = world.settled()
    cost = cost_of(lambda: world.withdraw(job.freelancer, dollars("60.00")))
    require_at_most(cost, 4)
    assert cost.transactions == 1


def test_the_job_of_a_payout(world: World) -> None:
    job = world.settled()
    world.withdraw(job.freelancer, dollars("60.00"))
    payout = Operation.objects.get(kind="create_payout")
    cost = cost_of(lambda: engine.perform(payout.pk, now=world.now))
    require_at_most(cost, 8)
    payout.refresh_from_db()
    assert payout.state == "succeeded"
