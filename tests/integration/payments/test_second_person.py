"""No one person of the staff moves more than the limit, by whichever way: a second one has to approve it."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from multitask.marketplace import work
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.errors import DisputeOpen, Forbidden, FourEyes, RefundInProgress, WrongState
from multitask.payments.escrow import auto_release, disputes, permitted_actions, refunds, releases
from multitask.payments.funding import unapplied_payments
from multitask.payments.models import Approval, Escrow, Operation, Refund
from multitask.payments.payouts import transfer_retries
from multitask.users.actor import Actor
from tests.integration.backoffice import scenes
from tests.payments_world import Job, World, dollars, held

Way = Callable[[World, Job, Actor], Any]


@pytest.fixture(autouse=True)
def limit(settings: Settings) -> int:
    """Fifty dollars, which most escrows of these tests hold more than."""
    settings.SECOND_PERSON_ABOVE_MINOR = 5_000
    return 5_000


def decide(world: World, approval: Approval, actor: Actor | None = None, *, approve: bool = True) -> Approval:
    return approvals.decide(actor=actor or world.staff(), approval_id=approval.pk, approve=approve, now=world.now)


def moved(job: Job) -> tuple[int, int]:
    """How many calls that move money and how many refunds there are."""
    calls = Operation.objects.filter(escrow=job.escrow, kind__in=["create_transfer", "create_refund"])
    return calls.count(), Refund.objects.filter(escrow=job.escrow).count()


def test_a_large_release_waits_for_a_second_person(world: World) -> None:
    job = world.completed()
    first, second = world.staff(), world.staff()
    approval = world.release(job, first, note="The client is silent")
    assert isinstance(approval, Approval)
    assert (approval.kind, job.escrow.state, moved(job)) == ("release", "funded", (0, 0))
    with pytest.raises(FourEyes):
        decide(world, approval, first)
    decide(world, approval, second)
    world.work()
    assert (job.escrow.state, job.escrow.released_minor, job.transfer.state) == ("released", 10_000, "succeeded")
    wanted = ["release_needs_approval", "release_approved", "released", "transferred"]
    assert [event for event in job.history() if event in wanted] == wanted
    [released] = [event for event in releases.timeline(job.escrow) if event.event == "released"]
    assert (released.actor_id, released.note) == (second.user_id, "The client is silent")


def test_up_to_the_limit_one_person_releases_alone(world: World) -> None:
    job = world.completed(dollars("50.00"))
    assert isinstance(world.release(job, world.staff()), Escrow)


def test_the_client_and_silence_release_any_amount(world: World) -> None:
    assert isinstance(world.release(world.completed()), Escrow)
    silent = world.delivered()
    world.wait(days=silent.escrow.auto_release_days, minutes=1)
    assert auto_release.release(escrow_id=silent.escrow.pk, now=world.now)


def test_what_staff_refunded_before_counts_for_a_release(world: World) -> None:
    job = world.completed(dollars("60.00"))
    world.refund(job, world.staff(), dollars("20.00"))
    world.work()
    assert job.escrow.remaining == dollars("40.00")
    assert isinstance(world.release(job, world.staff()), Approval)


def test_what_is_turned_down_moves_nothing_and_may_be_asked_again(world: World) -> None:
    job = world.completed()
    first = world.staff()
    approval = world.release(job, first)
    assert isinstance(approval, Approval)
    assert decide(world, approval, approve=False).approved is False
    assert (job.escrow.state, moved(job)) == ("funded", (0, 0))
    again = world.release(job, first)
    assert isinstance(again, Approval)
    assert again.pk != approval.pk


def test_a_release_that_waits_is_not_asked_for_twice(world: World) -> None:
    job = world.completed()
    first = world.staff()
    approval = world.release(job, first, request_key="one")
    assert world.release(job, first, request_key="one").pk == approval.pk
    with pytest.raises(WrongState):
        world.release(job, world.staff(), request_key="two")


def asked_back(world: World, job: Job, actor: Actor) -> Any:
    return world.refund(job, actor, dollars("10.00"))


def released(world: World, job: Job, actor: Actor) -> Any:
    return world.release(job, actor)


@pytest.mark.parametrize("way", [asked_back, released])
@pytest.mark.parametrize("waiting", [released, lambda world, job, actor: world.refund(job, actor)])
def test_while_it_waits_staff_moves_nothing_else_of_the_escrow(world: World, waiting: Way, way: Way) -> None:
    job = world.completed()
    assert isinstance(waiting(world, job, world.staff()), Approval)
    with pytest.raises(WrongState):
        way(world, job, world.staff())
    assert moved(job) == (0, 0)


def test_while_a_decision_waits_nothing_else_moves_the_money(world: World) -> None:
    job = world.completed()
    assert permitted_actions.allowed(world.staff(), job.escrow) == ["release", "refund"]
    assert isinstance(world.release(job, world.staff()), Approval)
    assert permitted_actions.allowed(world.staff(), job.escrow) == []
    assert permitted_actions.allowed(job.client, job.escrow) == ["request_refund", "dispute"]
    for moves in (lambda: world.release(job), lambda: world.refund(job, job.freelancer)):
        with pytest.raises(WrongState, match="second person"):
            moves()


def test_silence_accepts_no_refund_that_waits_for_a_second_person(world: World) -> None:
    job = world.started()
    asked = world.refund(job)
    approval = refunds.answer(actor=world.staff(), refund_id=asked.pk, accept=True, now=world.now)
    assert isinstance(approval, Approval)
    world.wait(days=8)
    assert refunds.unanswered(now=world.now) == []
    with pytest.raises(WrongState, match="second person"):
        refunds.answer(actor=Actor.system("silence"), refund_id=asked.pk, accept=True, now=world.now)
    decide(world, approval, approve=False)
    assert refunds.unanswered(now=world.now) == [asked.pk]


def test_staff_calls_off_no_disputed_task_that_holds_a_large_amount(world: World) -> None:
    job = world.started()
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Square", now=world.now)
    with pytest.raises(WrongState):
        work.cancel(actor=world.staff(), task_id=job.task_id, now=world.now)


def test_a_dispute_or_a_refund_that_came_in_between_stops_the_approved_release(world: World) -> None:
    disputed, asked = world.delivered(), world.delivered()
    late = [world.release(job, world.staff()) for job in (disputed, asked)]
    disputes.open_dispute(actor=disputed.client, escrow_id=disputed.escrow.pk, reason="Square", now=world.now)
    world.refund(asked)
    for approval, refusal in zip(late, (DisputeOpen, RefundInProgress), strict=True):
        assert isinstance(approval, Approval)
        with pytest.raises(refusal):
            decide(world, approval)
        assert not decide(world, approval, approve=False).approved


def test_the_amount_that_was_approved_is_released(world: World) -> None:
    job = world.delivered()
    approval = world.release(job, world.staff())
    assert isinstance(approval, Approval)
    with pytest.raises(WrongState):
        world.refund(job, job.freelancer, dollars("10.00"))
    decide(world, approval)
    assert (job.escrow.state, job.escrow.released_minor) == ("released", 10_000)


def test_a_large_refund_is_tried_again_by_two(world: World) -> None:
    job = world.completed()
    scenes.refund_of(world, job, dollars("60.00"))
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail", {"reason": "declined"})
    failed = world.learn_of_refund(job.refund)
    approval = refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now, note="New card")
    assert isinstance(approval, Approval)
    assert Refund.objects.count() == 1
    with pytest.raises(WrongState):
        refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now)
    decide(world, approval)
    world.work()
    assert (job.refund.state, job.refund.note, job.refund.amount_minor) == ("succeeded", "New card", 6_000)
    assert job.refund.pk != failed.pk


def test_a_large_refund_of_a_released_escrow_is_tried_again_by_two(world: World) -> None:
    job = world.completed()
    scenes.refund_of(world, job, dollars("60.00"))
    world.release(job)
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail", {"reason": "declined"})
    failed = world.learn_of_refund(job.refund)
    approval = refunds.retry(actor=world.staff(), refund_id=failed.pk, now=world.now)
    assert isinstance(approval, Approval)
    assert held(f"refund:{failed.pk}") == 6_000
    decide(world, approval)
    world.work()
    assert (job.refund.state, held(f"refund:{failed.pk}")) == ("succeeded", 0)


def test_a_large_transfer_is_tried_again_by_two(world: World) -> None:
    job, blocking = scenes.refused_transfer(world)
    world.at_provider(f"transfers/{blocking}/reversals")
    approval = transfer_retries.retry(actor=world.staff(), escrow_id=job.escrow.pk, now=world.now)
    assert isinstance(approval, Approval)
    assert approval.arguments["amount_minor"] == 8_500
    assert job.transfer.state == "failed"
    decide(world, approval)
    world.work()
    assert job.transfer.state == "succeeded"
    assert [event for event in job.history() if event.startswith("retry_transfer")] == [
        "retry_transfer_needs_approval",
        "retry_transfer_approved",
    ]


def test_a_large_payment_is_sent_back_by_two(world: World) -> None:
    job = scenes.payment_under_review(world)
    approval = unapplied_payments.return_payment(
        actor=world.staff(), payment_id=job.payment.pk, now=world.now, note="Too little"
    )
    assert isinstance(approval, Approval)
    assert not Refund.objects.exists()
    decide(world, approval)
    world.work()
    assert (job.payment.state, job.refund.amount_minor, job.refund.note) == ("returned", 9_000, "Too little")


def test_one_person_does_not_open_a_large_escrow_to_its_client_by_calling_the_task_off(world: World) -> None:
    job = world.delivered()
    with pytest.raises(WrongState):
        work.cancel(actor=world.staff(), task_id=job.task_id, now=world.now)
    assert (job.task.status, job.escrow.state) == ("delivered", "funded")
    small = world.delivered(dollars("50.00"))
    assert work.cancel(actor=world.staff(), task_id=small.task_id, now=world.now).status == "cancelled"


def test_the_limit_is_in_the_currency_of_the_escrow(world: World, limit: int) -> None:
    job = world.funded()
    assert not approvals.is_large(job.escrow, Money(limit, "USD"))
    assert approvals.is_large(job.escrow, Money(limit + 1, "USD"))


@pytest.mark.parametrize("side", ["client", "freelancer"])
def test_staff_tries_nothing_again_over_money_of_their_own(world: World, side: str) -> None:
    own = world.staff(**{f"is_{side}": True})
    people = {"client": world.client(), "freelancer": world.freelancer(), side: own}
    job = world.funded(client=people["client"], freelancer=people["freelancer"])
    refund = world.refund(job, world.staff(), dollars("10.00"))
    assert isinstance(refund, Refund)
    attempts: list[Callable[[], Any]] = [
        lambda: refunds.retry(actor=own, refund_id=refund.pk, now=world.now),
        lambda: transfer_retries.retry(actor=own, escrow_id=job.escrow.pk, now=world.now),
        lambda: unapplied_payments.return_payment(actor=own, payment_id=job.payment.pk, now=world.now),
    ]
    for attempt in attempts:
        with pytest.raises(Forbidden, match="own"):
            attempt()
