"""What tests begin with is the same whether it was played or put back; a world that was touched plays it itself."""

from typing import Any

import pytest

from tests import remembered
from tests.payments_world import Job, World, dollars, held

_seen: list[dict[str, Any]] = []
_played: list[World] = []


def told(world: World, job: Job) -> dict[str, Any]:
    """What can be seen of a settled job, by its people, in the books and at the provider."""
    account = world.account(job.freelancer)
    return {
        "states": (job.task.status, job.escrow.state, job.payment.state, job.transfer.state),
        "history": job.history(),
        "wallets": [repr(world.wallet(person)) for person in (job.client, job.freelancer)],
        "held": (held(f"user:{job.freelancer.user_id}:available"), held(f"provider:stripe:account:{account.pk}")),
        "there": world.sandbox.money()["accounts"][str(account.provider_account_id)],
    }


@pytest.mark.parametrize("turn", range(3))
def test_a_beginning_is_the_same_each_time_and_life_goes_on_from_it(world: World, turn: int) -> None:
    job = world.settled()
    _seen.append(told(world, job))
    assert _seen[-1] == _seen[0]

    withdrawal = world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    assert withdrawal.state == "completed"
    assert world.bank_deposits(job.freelancer) == {"usd": 8_500}
    assert world.completed().task_id != job.task_id


def test_a_fault_that_was_asked_for_first_is_still_there(world: World) -> None:
    world.sandbox.add_fault("rate_limit", path="/v1/payouts")
    world.funded()
    assert len(world.sandbox.faults()) == 1


def test_time_that_has_passed_stays_passed(world: World) -> None:
    world.wait(days=3)
    now = world.now
    job = world.funded()
    assert (world.now, job.escrow.funded_at) == (now, now)


@pytest.mark.parametrize("fee", ["15.00", "20.00"])
def test_what_was_begun_under_other_settings_is_not_put_back(world: World, settings: Any, fee: str) -> None:
    settings.PLATFORM_FEE_PERCENTAGE = fee
    job = world.released()
    assert job.escrow.released_fee_minor == int(fee[:2]) * 100


@remembered.beginning
def counted(world: World) -> Job:
    _played.append(world)
    return world.hired()


@pytest.mark.parametrize("turn", range(4))
def test_a_beginning_is_played_less_often_than_it_is_wanted(world: World, turn: int) -> None:
    assert counted(world).task.title == "Draw a logo"
    if turn == 3 and remembered.may_put_back():
        assert len(_played) < 4


@pytest.mark.parametrize("turn", range(2))
def test_what_is_put_back_is_of_the_moment_at_which_the_world_began(world: World, turn: int) -> None:
    began = world.now
    job = world.funded()
    assert (world.now, job.escrow.funded_at) == (began, began)
