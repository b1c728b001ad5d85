"""Money that lies in a former account is brought to its successor, once, or stays accounted for where it is."""

from collections.abc import Iterator

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.errors import AccountInUse, FundsInFormerAccount
from multitask.payments.losses import adjustments
from multitask.payments.models import Reversal
from multitask.payments.payouts import account_moves, availability, onboarding
from tests.integration.races import together
from tests.payments_world import SETTLING, World, dollars, held, user_id
from tests.payout_accounts import in_account, reject, succeed
from tests.provider_balances import ProviderBalances

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def equal_books(balances: ProviderBalances) -> Iterator[None]:
    """After each test the books are the provider's."""
    yield
    balances.require_equal()


def move(world: World) -> None:
    """Run the periodic job, and what follows from it."""
    for account_id in account_moves.due(now=world.now):
        account_moves.move(account_id=account_id, now=world.now)
    world.work()


def test_available_money_is_brought_to_the_successor_and_withdrawn_there(world: World) -> None:
    job = world.settled()
    former = reject(world, job.freelancer)
    assert account_moves.due(now=world.now) == []
    successor = succeed(world, job.freelancer)
    assert account_moves.due(now=world.now) == [former.pk]
    move(world)
    assert (in_account(former), in_account(successor)) == (0, 8_500)
    assert held(f"user:{user_id(job.freelancer)}:available") == 8_500
    assert job.transfer.account == successor
    assert account_moves.due(now=world.now) == []

    world.sandbox.settle(successor.provider_account_id)
    withdrawal = world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    assert (withdrawal.state, withdrawal.account) == ("completed", successor)
    assert in_account(successor) == 0


def test_an_account_that_an_adjustment_came_to_is_in_use_and_staff_sees_what_does_not_follow(world: World) -> None:
    world.funded()
    world.sandbox.settle()
    freelancer = world.freelancer()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(freelancer), amount=dollars("50.00"), note="Our mistake", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    with pytest.raises(AccountInUse):
        onboarding.replace(actor=freelancer, country="DE", currency="EUR", now=world.now)
    former = reject(world, freelancer)
    succeed(world, freelancer)
    assert not account_moves.left_behind(world.now).exists()
    world.wait(days=2)
    move(world)
    assert (in_account(former), list(account_moves.left_behind(world.now))) == (5_000, [former])
    assert list(account_moves.left_behind(world.now)) == [former]


def test_staff_sees_money_in_a_former_account_that_is_closed(world: World) -> None:
    job = world.settled()
    former = world.account(job.freelancer)
    world.receive(world.deauthorized(str(former.provider_account_id)))
    world.work()
    succeed(world, job.freelancer)
    world.wait(days=2)
    assert list(account_moves.left_behind(world.now)) == [former]


def test_staff_sees_no_former_account_whose_money_has_followed(world: World) -> None:
    job = world.settled()
    reject(world, job.freelancer)
    succeed(world, job.freelancer)
    move(world)
    world.wait(days=2)
    assert not account_moves.left_behind(world.now).exists()


def test_pending_money_is_brought_to_the_successor_and_settles_there(world: World) -> None:
    job = world.released()
    former = reject(world, job.freelancer)
    successor = succeed(world, job.freelancer)
    world.wait(SETTLING)
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    move(world)
    assert (in_account(former), in_account(successor)) == (0, 8_500)
    world.settle(job)
    assert held(f"user:{user_id(job.freelancer)}:available") == 8_500


def test_a_payout_that_came_back_is_brought_to_the_successor(world: World) -> None:
    job = world.settled()
    withdrawal = world.arrive(world.withdrawn(job.freelancer, dollars("60.00")))
    former = reject(world, job.freelancer)
    successor = succeed(world, job.freelancer)
    move(world)
    assert (in_account(former), in_account(successor)) == (0, 2_500)

    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/fail", {"code": "account_closed"})
    world.hear()
    assert in_account(former) == 6_000
    move(world)
    assert (in_account(former), in_account(successor)) == (0, 8_500)
    assert held(f"user:{user_id(job.freelancer)}:available") == 8_500


def test_what_a_payout_under_way_takes_is_not_moved(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("60.00"))
    former = reject(world, job.freelancer)
    successor = succeed(world, job.freelancer)
    move(world)
    assert (in_account(former), in_account(successor)) == (6_000, 2_500)
    world.arrive(withdrawal)
    assert (in_account(former), in_account(successor)) == (0, 2_500)


def test_money_is_moved_once_however_often_the_job_runs(world: World) -> None:
    freelancer = world.freelancer()
    jobs = [world.settled(freelancer=freelancer) for _ in range(3)]
    former = reject(world, freelancer)
    successor = succeed(world, freelancer)
    together([lambda: account_moves.move(account_id=former.pk, now=world.now)] * 6)
    world.work()
    assert (in_account(former), in_account(successor)) == (0, 25_500)
    assert Reversal.objects.count() == 3
    assert {job.transfer.account_id for job in jobs} == {successor.pk}
    move(world)
    assert Reversal.objects.count() == 3


def test_each_run_goes_on_where_the_one_before_has_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_moves, "BATCH", 2)
    freelancer = world.freelancer()
    for _ in range(5):
        world.settled(freelancer=freelancer)
    former = reject(world, freelancer)
    successor = succeed(world, freelancer)
    moved = []
    while account_moves.due(now=world.now) and len(moved) < 4:
        move(world)
        moved.append(in_account(successor))
    assert (in_account(former), moved) == (0, [17_000, 34_000, 42_500])


def test_what_was_withdrawn_from_the_former_account_does_not_use_up_a_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_moves, "BATCH", 2)
    freelancer = world.freelancer()
    for _ in range(3):
        world.settled(freelancer=freelancer)
    world.arrive(world.withdrawn(freelancer, dollars("120.00")))
    former = reject(world, freelancer)
    successor = succeed(world, freelancer)
    assert account_moves.move(account_id=former.pk, now=world.now) == 2
    assert account_moves.move(account_id=former.pk, now=world.now) == 0
    world.work()
    assert (in_account(former), in_account(successor)) == (0, 13_500)
    assert account_moves.due(now=world.now) == []


def test_a_move_whose_answer_was_lost_is_finished_once(world: World) -> None:
    job = world.settled()
    former = reject(world, job.freelancer)
    successor = succeed(world, job.freelancer)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/transfers/*/reversals", count=1)
    move(world)
    world.wait(minutes=5)
    world.work()
    assert (in_account(former), in_account(successor)) == (0, 8_500)
    assert Reversal.objects.get().state == "succeeded"


def test_money_in_an_account_that_left_cannot_be_brought_and_is_said_to_be_there(world: World) -> None:
    job = world.settled()
    former = world.account(job.freelancer)
    world.receive(world.deauthorized(str(former.provider_account_id)))
    world.work()
    successor = succeed(world, job.freelancer)
    move(world)
    assert (in_account(former), in_account(successor)) == (8_500, 0)
    assert not Reversal.objects.exists()
    with pytest.raises(FundsInFormerAccount):
        world.withdraw(job.freelancer, dollars("1.00"))
    other = world.released(dollars("20.00"), freelancer=job.freelancer)
    assert in_account(successor) == 1_700
    assert other.transfer.account == successor


def test_a_reversal_that_the_provider_refuses_is_not_asked_for_again(world: World) -> None:
    job = world.settled()
    former = reject(world, job.freelancer)
    succeed(world, job.freelancer)
    world.deauthorized(str(former.provider_account_id))  # Its event was lost.
    move(world)
    assert Reversal.objects.get().state == "failed"
    move(world)
    assert Reversal.objects.count() == 1
    assert "reversal_failed" in job.history()
