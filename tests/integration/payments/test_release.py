"""Release: who may, when, how often, and what each side gets."""

import pytest
from pytest_django import Settings

from multitask.marketplace import work
from multitask.money import Money
from multitask.payments.errors import (
    DisputeOpen,
    EscrowFrozen,
    Forbidden,
    NotFound,
    NotFunded,
    RefundInProgress,
    TaskNotCompleted,
    WrongState,
)
from multitask.payments.escrow import disputes, releases
from multitask.payments.models import Escrow, HistoryRow, Operation
from multitask.users.actor import Actor
from tests.payments_world import Job, World, dollars, held, routed, user_id


def shares(job: Job, currency: str = "USD") -> tuple[int, int]:
    """What the freelancer has pending, and the fees of the platform."""
    return held(f"user:{user_id(job.freelancer)}:pending", currency), held("platform:fees", currency)


def test_the_client_releases_after_completion(world: World) -> None:
    job = world.completed()
    released = world.release(job)
    assert released.state == "released"
    assert released.released_at == world.now
    assert (released.released_minor, released.released_fee_minor) == (10_000, 1_500)
    assert shares(job) == (8_500, 1_500)
    assert held(f"escrow:{job.escrow.pk}") == 0
    assert job.history()[-1] == "released"


def test_both_sides_find_the_release_in_their_history(world: World) -> None:
    job = world.completed()
    world.release(job)
    rows = HistoryRow.objects.filter(escrow=job.escrow).exclude(type="escrow_deposit").order_by("pk")
    assert sorted((r.user_id, r.type, r.direction, r.amount_minor, r.fee_minor) for r in rows) == sorted(
        [
            (job.client.user_id, "escrow_release", "neutral", 10_000, 1_500),
            (job.freelancer.user_id, "escrow_release", "in", 10_000, 1_500),
            (job.freelancer.user_id, "platform_fee", "out", 1_500, 0),
        ]
    )


@pytest.mark.parametrize("stage", ["funded", "started", "delivered"])
def test_the_client_has_to_confirm_completion_first(world: World, stage: str) -> None:
    job = getattr(world, stage)()
    with pytest.raises(TaskNotCompleted):
        world.release(job)
    assert job.escrow.state == "funded"


@pytest.mark.parametrize("stage", ["funded", "started", "delivered", "completed"])
@pytest.mark.parametrize("role", ["finance", "admin"])
def test_finance_staff_may_release_at_any_time(world: World, stage: str, role: str) -> None:
    job = getattr(world, stage)()
    assert world.release(job, world.staff(role)).state == "released"
    assert shares(job) == (8_500, 1_500)


def test_support_staff_may_not_release(world: World) -> None:
    job = world.completed()
    with pytest.raises(Forbidden):
        world.release(job, world.staff("support"))


def test_the_freelancer_may_not_release(world: World) -> None:
    job = world.completed()
    with pytest.raises(Forbidden):
        world.release(job, job.freelancer)


def test_a_freelancer_of_the_finance_staff_may_not_release_to_himself(world: World) -> None:
    both = world.staff("finance", is_freelancer=True)
    world.onboard(both)
    job = world.completed(freelancer=both)
    with pytest.raises(Forbidden):
        world.release(job, both)


def test_a_client_of_the_finance_staff_has_no_more_rights_than_a_client(world: World) -> None:
    both = world.staff("finance", is_client=True)
    job = world.delivered(client=both)
    with pytest.raises(TaskNotCompleted):
        world.release(job, both)


@pytest.mark.parametrize("who", ["client", "freelancer", "visitor"])
def test_strangers_do_not_even_see_the_escrow(world: World, who: str) -> None:
    job = world.completed()
    people = {"client": world.client, "freelancer": lambda: world.freelancer(onboarded=False), "visitor": Actor.visitor}
    stranger = people[who]()
    with pytest.raises(NotFound):
        world.release(job, stranger)


def test_an_escrow_that_does_not_exist_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        releases.release(actor=world.staff(), escrow_id=4_000_000_000, now=world.now)


def test_an_escrow_is_found_by_its_public_id(world: World) -> None:
    job = world.completed()
    assert releases.release(actor=job.client, escrow_id=job.escrow.public_id, now=world.now).pk == job.escrow.pk


def test_an_unpaid_escrow_cannot_be_released(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    for actor in (job.client, world.staff()):
        with pytest.raises(NotFunded):
            world.release(job, actor)


def test_a_released_escrow_cannot_be_released_again(world: World) -> None:
    job = world.completed()
    world.release(job)
    for actor in (job.client, world.staff()):
        with pytest.raises(WrongState):
            world.release(job, actor)
    assert shares(job) == (8_500, 1_500)
    assert Operation.objects.filter(kind="create_transfer").count() == 1


def test_a_refunded_escrow_cannot_be_released(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer)
    world.work()
    with pytest.raises(WrongState):
        world.release(job)


def test_a_cancelled_escrow_cannot_be_released(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    work.cancel(actor=job.client, task_id=job.task_id, now=world.now)
    with pytest.raises(WrongState):
        world.release(job, world.staff())


def test_a_disputed_escrow_cannot_be_released(world: World) -> None:
    job = world.completed()
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Not what I asked for", now=world.now)
    for actor in (job.client, world.staff()):
        with pytest.raises(DisputeOpen):
            world.release(job, actor)


def test_a_frozen_escrow_cannot_be_released(world: World) -> None:
    job = world.completed()
    Escrow.objects.filter(pk=job.escrow.pk).update(frozen_at=world.now)
    with pytest.raises(EscrowFrozen):
        world.release(job)


def test_an_escrow_with_a_refund_under_way_cannot_be_released(world: World) -> None:
    job = world.completed()
    world.refund(job, amount=dollars("10.00"))
    assert job.refund.state == "requested"
    with pytest.raises(RefundInProgress):
        world.release(job)
    job = world.completed()
    world.refund(job, job.freelancer, amount=dollars("10.00"))
    assert job.refund.state == "pending"
    with pytest.raises(RefundInProgress):
        world.release(job)


def test_the_same_request_again_answers_the_released_escrow(world: World) -> None:
    job = world.completed()
    first = world.release(job, request_key="one")
    again = world.release(job, request_key="one")
    assert (again.pk, again.released_at) == (first.pk, first.released_at)
    assert job.history().count("released") == 1
    with pytest.raises(WrongState):
        world.release(job, request_key="two")


def test_another_persons_key_is_not_the_same_request(world: World) -> None:
    job = world.completed()
    world.release(job, request_key="one")
    with pytest.raises(WrongState):
        world.release(job, world.staff(), request_key="one")


def test_without_a_fee_the_freelancer_gets_all(world: World, settings: Settings) -> None:
    settings.PLATFORM_FEE_PERCENTAGE = "0.00"
    job = world.completed()
    world.release(job)
    assert shares(job) == (10_000, 0)
    assert not HistoryRow.objects.filter(type="platform_fee").exists()


def test_when_the_fee_is_everything_nothing_is_transferred(world: World, settings: Settings) -> None:
    settings.PLATFORM_FEE_PERCENTAGE = "100.00"
    job = world.completed()
    released = world.release(job)
    assert shares(job) == (0, 10_000)
    assert released.made_available_at == world.now
    assert not Operation.objects.filter(kind="create_transfer").exists()


@pytest.mark.parametrize(
    ("total", "share", "fee"), [(1, 1, 0), (3, 3, 0), (4, 3, 1), (10, 8, 2), (33, 28, 5), (50, 42, 8)]
)
def test_tiny_amounts_are_rounded_half_up_and_still_add_up(
    world: World, settings: Settings, total: int, share: int, fee: int
) -> None:
    settings.ROUTES = routed("USD", "KRW")
    job = world.released(Money(total, "KRW"))
    world.add_bank(job.freelancer, "KRW")
    world.work()
    assert shares(job, "KRW") == (share, fee)
    assert job.transfer.state == "succeeded"
    world.settle(job)
    assert held(f"user:{user_id(job.freelancer)}:available", "KRW") == share


def test_after_a_partial_refund_the_rest_is_released(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer, amount=dollars("33.33"))
    world.work()
    released = world.release(job)
    assert (released.refunded_minor, released.released_minor, released.released_fee_minor) == (3_333, 6_667, 1_000)
    assert shares(job) == (5_667, 1_000)


def test_the_money_waits_while_the_freelancer_has_no_account(world: World) -> None:
    job = world.released(freelancer=world.freelancer(onboarded=False))
    assert job.escrow.state == "released"
    assert shares(job) == (8_500, 1_500)
    assert job.transfer.hold == "awaits_account"
