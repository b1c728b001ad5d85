"""Events about an account's balance: one job per account, and each escrow becomes available once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from multitask.payments.models import Escrow, Withdrawal
from multitask.payments.payouts import availability
from multitask.payments.payouts.availability import account_balance_changed, make_account_available
from multitask.users.actor import Actor
from tests import refused_escrows
from tests.integration.races import together
from tests.payments_world import SETTLING, World, held, user_id

pytestmark = pytest.mark.django_db(transaction=True)


def waiting(world: World, number: int) -> tuple[Actor, list[int]]:
    """A freelancer with released escrows that are due, and no job for them."""
    freelancer = world.freelancer()
    escrow_ids = [world.released(freelancer=freelancer).escrow.pk for _ in range(number)]
    world.wait(SETTLING)
    world.lose_jobs()
    return freelancer, escrow_ids


def tell(world: World, freelancer: Actor) -> None:
    account_balance_changed("stripe", str(world.account(freelancer).provider_account_id), world.now)


def available(freelancer: Actor) -> int:
    return held(f"user:{user_id(freelancer)}:available")


def jobs() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT task_name FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def test_one_job_settles_all_that_is_due_for_an_account(world: World) -> None:
    freelancer, escrow_ids = waiting(world, 4)
    for _ in range(3):
        tell(world, freelancer)
    assert jobs() == ["make_account_available"]

    assert world.work() == ["make_account_available"]
    assert available(freelancer) == 4 * 8_500
    assert not Escrow.objects.filter(pk__in=escrow_ids, made_available_at=None).exists()

    tell(world, freelancer)
    assert jobs() == []  # Nothing is unsettled any more.


def test_a_job_settles_only_what_is_due_for_its_account(world: World) -> None:
    other = world.released().freelancer
    freelancer, _ = waiting(world, 2)
    frozen = Escrow.objects.filter(freelancer_id=user_id(freelancer)).earliest("pk")
    Escrow.objects.filter(pk=frozen.pk).update(frozen_at=world.now)
    tell(world, freelancer)
    world.work()
    assert (available(freelancer), available(other)) == (8_500, 0)


def test_a_job_is_bounded_and_leaves_the_rest_to_the_next(world: World) -> None:
    freelancer, escrow_ids = waiting(world, 5)
    account_id = world.account(freelancer).pk
    assert make_account_available(account_id=account_id, now=world.now, limit=2) == 2
    assert jobs() == ["make_account_available"]
    assert make_account_available(account_id=account_id, after=escrow_ids[1], now=world.now, limit=2) == 2
    assert world.work() == ["make_account_available", "make_account_available"]
    assert available(freelancer) == 5 * 8_500


def test_the_same_job_many_times_at_once_settles_once(world: World) -> None:
    freelancer, _ = waiting(world, 3)
    account_id = world.account(freelancer).pk
    answers = together([lambda: make_account_available(account_id=account_id, now=world.now)] * 6)
    assert sum(answers) == 3
    assert available(freelancer) == 3 * 8_500
    assert make_account_available(account_id=account_id, now=world.now) == 0


def test_an_error_on_one_escrow_does_not_block_the_others(world: World) -> None:
    freelancer, escrow_ids = waiting(world, 3)
    refused_escrows.refuse(escrow_ids[0])
    account_id = world.account(freelancer).pk
    assert make_account_available(account_id=account_id, now=world.now) == 2
    assert availability.due(now=world.now) == [escrow_ids[0]]
    refused_escrows.allow()
    assert make_account_available(account_id=account_id, now=world.now) == 1
    assert available(freelancer) == 3 * 8_500


def test_all_that_is_due_is_posted_in_one_statement(world: World) -> None:
    freelancer, _ = waiting(world, 3)
    account_id = world.account(freelancer).pk
    with CaptureQueriesContext(connection) as statements:
        assert make_account_available(account_id=account_id, now=world.now) == 3
    assert sum("ledger_post" in statement["sql"] for statement in statements) == 1
    assert available(freelancer) == 3 * 8_500


def test_what_was_paid_out_ahead_is_netted_once_by_several_shares(world: World) -> None:
    """The first share pays all of its own, the second the rest, the third becomes available as a whole."""
    freelancer = world.freelancer()
    for _ in range(3):
        world.released(freelancer=freelancer)
    account = world.account(freelancer)
    world.sandbox.settle(account.provider_account_id)
    world.at_provider("payouts", account=str(account.provider_account_id), amount="10000", currency="usd")
    world.hear()
    world.arrive(Withdrawal.objects.latest("pk"))
    assert held(f"user:{user_id(freelancer)}:paid_ahead") == -10_000
    world.wait(SETTLING)
    world.lose_jobs()
    assert make_account_available(account_id=account.pk, now=world.now) == 3
    assert held(f"user:{user_id(freelancer)}:paid_ahead") == 0
    assert available(freelancer) == 3 * 8_500 - 10_000
