"""A reversal of ours that somebody makes by hand at the provider counts once, in place of ours."""

from collections.abc import Callable
from typing import Any

import pytest

from multitask.payments.errors import WrongState
from multitask.payments.losses import lost_reversals, outside_reversals
from multitask.payments.models import Chargeback, Operation, Reversal
from multitask.payments.operations import engine
from multitask.payments.payouts import reversals, transfers
from multitask.web.backoffice import work_queue
from tests.integration.payments.losing import book, lost, purse, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close
from tests.integration.races import together
from tests.payments_world import Job, World, dollars, held, user_id

__all__ = ["the_books_equal_the_providers"]

NotMade = Callable[..., Chargeback]


def dropped(world: World, job: Job, by_hand: int, **more: Any) -> Chargeback:
    """Our call gets lost; it is tried again after somebody has reversed the transfer."""
    chargeback = lost(world, job, **more)
    world.sandbox.add_fault("drop_request", method="POST", path="/v1/transfers/*/reversals", count=1)
    book(world, chargeback)
    reverse(world, job, by_hand)
    assert Operation.objects.get(kind="create_reversal").state == "unknown"
    return chargeback


def refused(world: World, job: Job, by_hand: int, **more: Any) -> Chargeback:
    """Somebody reverses the transfer before our call, and we learn of it after the provider has refused ours."""
    chargeback = lost(world, job, **more)
    reverse(world, job, by_hand)
    book(world, chargeback)
    assert Operation.objects.get(kind="create_reversal").state == "failed"
    return chargeback


def postponed(world: World, job: Job, by_hand: int, **more: Any) -> Chargeback:
    """Our call waits for money in the account; when that is there, somebody is faster than our next attempt."""
    account = world.account(job.freelancer)
    there = -held(f"provider:stripe:account:{account.pk}")
    chargeback = lost(world, job, **more)
    payout = world.at_provider("payouts", account=str(account.provider_account_id), amount=str(there), currency="usd")
    book(world, chargeback)
    assert Operation.objects.get(kind="create_reversal").last_error_code == "balance_insufficient"
    world.sandbox.control("POST", f"payouts/{payout['id']}/fail")
    reverse(world, job, by_hand)
    return chargeback


def reverse(world: World, job: Job, amount: int) -> None:
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount=str(amount))


def wait(world: World) -> None:
    for _ in range(3):
        world.wait(minutes=10)
        world.work()


def ours() -> list[tuple[str, int]]:
    return list(Reversal.objects.filter(is_outside=False).order_by("pk").values_list("state", "amount_minor"))


def outside() -> Reversal:
    return Reversal.objects.get(is_outside=True)


def nothing_is_left_to_do(world: World, job: Job) -> None:
    assert not work_queue.refused_transfers(world.now).exists()
    assert not work_queue.undecided_reversals(world.now).exists()
    assert not Reversal.objects.filter(state="pending").exists()
    for reversal in Reversal.objects.filter(state="failed"):
        assert not reversals.can_be_retried(reversal)
        assert not lost_reversals.can_be_given_up(reversal)
    assert held(f"user:{user_id(job.freelancer)}:receivable") == 0
    assert transfers.outstanding(job.escrow) == dollars("0.00")


@pytest.mark.parametrize("not_made", [dropped, postponed, refused])
@pytest.mark.parametrize("is_heard_first", [True, False])
def test_it_counts_in_place_of_ours(world: World, not_made: NotMade, is_heard_first: bool) -> None:
    job = world.settled()
    world.settled(freelancer=job.freelancer)
    not_made(world, job, 8_500)
    if is_heard_first:
        world.hear()
    wait(world)
    world.hear()
    assert ours() == [("failed", 8_500)]
    assert Operation.objects.filter(kind="create_transfer", escrow=job.escrow).count() == 1
    nothing_is_left_to_do(world, job)
    assert purse(world, job) == (0, 8_500, 0)


@pytest.mark.parametrize("not_made", [dropped, postponed, refused])
def test_what_was_not_reversed_by_hand_is_reversed_by_us(world: World, not_made: NotMade) -> None:
    job = world.settled()
    not_made(world, job, 4_500)
    world.hear()
    wait(world)
    assert ours() == [("failed", 8_500), ("succeeded", 4_000)]
    nothing_is_left_to_do(world, job)


def test_two_by_hand_count_both(world: World) -> None:
    job = world.settled()
    dropped(world, job, 4_500)
    reverse(world, job, 4_000)
    world.hear()
    assert Reversal.objects.filter(is_decided=False).count() == 2
    wait(world)
    assert [state for state, _amount in ours()] == ["failed", "failed"]
    nothing_is_left_to_do(world, job)


@pytest.mark.parametrize("not_made", [dropped, postponed, refused])
def test_what_the_share_covers_is_held_and_the_rest_counts(world: World, not_made: NotMade) -> None:
    job = world.settled()
    not_made(world, job, 6_000, amount=6_000)
    assert [amount for _state, amount in ours()] == [5_100]
    world.hear()
    assert (held(f"contested:{job.escrow.pk}"), outside().is_decided) == (3_400, False)
    assert transfers.outstanding(job.escrow) == dollars("0.00")
    wait(world)
    assert ours() == [("failed", 5_100), ("succeeded", 2_500)]
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=outside().pk, now=world.now)
    world.work()
    assert purse(world, job) == (0, 3_400, 0)
    nothing_is_left_to_do(world, job)


def test_nobody_decides_while_ours_may_still_be_made(world: World) -> None:
    job = world.settled()
    dropped(world, job, 8_500)
    world.hear()
    with pytest.raises(WrongState):
        outside_reversals.transfer_again(actor=world.staff(), reversal_id=outside().pk, now=world.now)
    wait(world)
    assert Operation.objects.filter(kind="create_transfer", escrow=job.escrow).count() == 1
    nothing_is_left_to_do(world, job)


@pytest.mark.parametrize("not_made", [dropped, postponed])
@pytest.mark.parametrize("amount", [8_500, 4_500])
def test_a_loss_that_does_not_last_gives_back_what_it_took(world: World, not_made: NotMade, amount: int) -> None:
    job = world.settled()
    chargeback = not_made(world, job, amount)
    world.hear()
    wait(world)
    close(world, chargeback.provider_dispute_id, "won")
    wait(world)
    assert purse(world, job) == (0, 8_500, 0)
    assert (job.escrow.contested_minor, held("platform:losses")) == (0, 0)
    nothing_is_left_to_do(world, job)


@pytest.mark.parametrize("amount", [8_500, 4_500])
def test_a_loss_is_undone_before_ours_has_ended(world: World, amount: int) -> None:
    job = world.settled()
    chargeback = dropped(world, job, amount)
    world.hear()
    close(world, chargeback.provider_dispute_id, "won")
    wait(world)
    assert purse(world, job) == (0, 8_500, 0)
    assert (job.escrow.contested_minor, held("platform:losses")) == (0, 0)
    nothing_is_left_to_do(world, job)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("not_made", [dropped, postponed])
def test_both_answers_at_once(world: World, not_made: NotMade) -> None:
    job = world.settled()
    not_made(world, job, 4_500)
    call = engine.latest(transfers.CREATE_REVERSAL, Reversal.objects.get().pk)
    assert call is not None
    state = world.provider.read_transfer(job.transfer.provider_reference)
    world.wait(minutes=10)

    def learn() -> None:
        reversals.confirm("stripe", state, world.now)

    answers = together([learn, learn, lambda: engine.perform(call.pk, now=world.now), learn])
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    wait(world)
    assert ours() == [("failed", 8_500), ("succeeded", 4_000)]
    nothing_is_left_to_do(world, job)
