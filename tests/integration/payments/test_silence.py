"""What happens when somebody does not answer: the automatic release, and requests that silence accepts."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from multitask.marketplace import work
from multitask.marketplace.work import TaskStateConflict
from multitask.payments.authorization import approvals
from multitask.payments.errors import NotFunded, PaymentError, WrongState
from multitask.payments.escrow import auto_release, disputes, refunds
from multitask.payments.models import Approval, AuditEvent, Escrow
from multitask.users.actor import Actor
from tests.payments_world import Job, World, dollars, held, user_id

SILENCE = Actor.system("silence")


def due(world: World, job: Job) -> bool:
    return job.escrow.pk in auto_release.due(now=world.now)


def release_silent(world: World, job: Job) -> bool:
    return auto_release.release(escrow_id=job.escrow.pk, now=world.now)


def test_the_clients_time_begins_with_the_delivery(world: World) -> None:
    job = world.started()
    assert job.escrow.auto_release_at is None
    world.wait(days=5)
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert job.escrow.auto_release_at == world.now + timedelta(days=14)


def test_not_a_moment_too_early(world: World) -> None:
    job = world.delivered()
    world.wait(timedelta(days=14, microseconds=-1))
    assert not due(world, job)
    assert not release_silent(world, job)
    assert job.escrow.state == "funded"

    world.wait(microseconds=1)
    assert due(world, job)
    assert release_silent(world, job)
    assert (job.escrow.state, job.task.status) == ("released", "completed")
    assert held(f"user:{user_id(job.freelancer)}:pending") == 8_500


def test_silence_completes_the_task_and_says_so(world: World) -> None:
    job = world.delivered()
    world.wait(days=14)
    release_silent(world, job)
    assert job.task.times.completed_at == world.now
    assert job.history()[-2:] == ["completed", "released"]
    completed, released = AuditEvent.objects.filter(escrow=job.escrow).order_by("-pk")[:2][::-1]
    assert completed.actor_label == released.actor_label == "auto_release"
    assert released.note == "No answer within 14 days of delivery"
    assert released.actor_id is None


def test_a_completed_task_is_released_by_silence_too(world: World) -> None:
    job = world.completed()
    world.wait(days=14)
    assert release_silent(world, job)
    assert job.history().count("completed") == 1


def test_silence_releases_once(world: World) -> None:
    job = world.delivered()
    world.wait(days=14)
    assert release_silent(world, job)
    assert not release_silent(world, job)
    assert not due(world, job)
    assert held("platform:fees") == 1_500


def test_a_released_escrow_is_not_due(world: World) -> None:
    job = world.completed()
    world.release(job)
    world.wait(days=14)
    assert not due(world, job)
    assert not release_silent(world, job)


@pytest.mark.parametrize("stage", ["funded", "started"])
def test_silence_says_nothing_about_work_that_was_not_delivered(world: World, stage: str) -> None:
    job = getattr(world, stage)()
    world.wait(days=400)
    assert not due(world, job)
    assert not release_silent(world, job)


def test_nothing_is_released_while_a_refund_is_asked_for(world: World) -> None:
    job = world.delivered()
    world.refund(job)
    world.wait(days=14)
    assert not due(world, job)
    assert not release_silent(world, job)
    refunds.withdraw(actor=job.client, refund_id=job.refund.pk, now=world.now)
    assert due(world, job)
    assert release_silent(world, job)


def test_nothing_is_released_while_a_second_person_decides(world: World, settings: Settings) -> None:
    settings.SECOND_PERSON_ABOVE_MINOR = 5_000
    job = world.delivered()
    approval = refunds.ask_or_refund(
        actor=world.staff(), escrow_id=job.escrow.pk, amount=None, reason="duplicate", now=world.now
    )
    assert isinstance(approval, Approval)
    world.wait(days=14)
    assert not due(world, job)
    assert not release_silent(world, job)
    approvals.decide(actor=world.staff(), approval_id=approval.pk, approve=False, now=world.now)
    assert due(world, job)
    assert release_silent(world, job)


def test_nothing_is_released_while_a_dispute_is_open(world: World) -> None:
    job = world.delivered()
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    world.wait(days=14)
    assert not due(world, job)
    assert not release_silent(world, job)


def test_after_a_partial_refund_silence_releases_the_rest(world: World) -> None:
    job = world.delivered()
    world.refund(job, job.freelancer, dollars("30.00"))
    world.work()
    world.wait(days=14)
    assert due(world, job)
    assert release_silent(world, job)
    assert job.escrow.released_minor == 7_000


def test_a_cancelled_task_is_not_released_by_silence(world: World) -> None:
    job = world.delivered()
    work.cancel(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert job.escrow.auto_release_at is None
    Escrow.objects.filter(pk=job.escrow.pk).update(auto_release_at=world.now)
    assert not due(world, job)
    assert not release_silent(world, job)


def test_the_longest_silence_comes_first(world: World) -> None:
    first = world.delivered()
    world.wait(seconds=1)
    second = world.delivered()
    world.wait(days=14)
    assert auto_release.due(now=world.now) == [first.escrow.pk, second.escrow.pk]


def test_what_is_not_paid_is_not_delivered(world: World) -> None:
    job = world.hired()
    with pytest.raises(NotFunded):
        work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    world.ask_to_pay(job)
    with pytest.raises(NotFunded):
        work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert job.task.status == "assigned"


def test_what_went_back_whole_pays_for_no_delivery(world: World) -> None:
    job = world.started()
    world.refund(job, job.freelancer)
    world.work()
    with pytest.raises(TaskStateConflict):
        work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert job.task.status == "cancelled"


def test_what_went_back_in_part_may_be_delivered(world: World) -> None:
    job = world.started()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert job.escrow.auto_release_at == world.now + timedelta(days=14)


def test_a_disputed_task_may_be_delivered_but_starts_no_clock(world: World) -> None:
    job = world.started()
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert job.escrow.auto_release_at is None


# -- requests


def accept_silently(world: World, job: Job) -> None:
    refunds.answer(actor=SILENCE, refund_id=job.refund.pk, accept=True, note="No answer in time", now=world.now)


def test_a_request_is_accepted_by_silence_and_not_a_moment_too_early(world: World) -> None:
    job = world.started()
    world.refund(job)
    world.wait(timedelta(days=7, microseconds=-1))
    assert refunds.unanswered(now=world.now) == []
    world.wait(microseconds=1)
    assert refunds.unanswered(now=world.now) == [job.refund.pk]
    accept_silently(world, job)
    assert job.refund.state == "pending"
    assert job.refund.decided_by_id is None
    world.work()
    assert job.escrow.state == "refunded"
    assert job.history()[-2:] == ["refund_accepted", "refunded"]


def test_an_answer_in_time_is_not_overruled(world: World) -> None:
    job = world.started()
    world.refund(job)
    refunds.answer(actor=job.freelancer, refund_id=job.refund.pk, accept=False, now=world.now)
    world.wait(days=8)
    assert refunds.unanswered(now=world.now) == []
    with pytest.raises(WrongState):
        accept_silently(world, job)
    assert job.escrow.state == "disputed"


def test_silence_accepts_once(world: World) -> None:
    job = world.started()
    world.refund(job)
    world.wait(days=7)
    accept_silently(world, job)
    with pytest.raises(PaymentError):
        accept_silently(world, job)
    assert job.history().count("refund_accepted") == 1


def test_the_jobs_find_what_is_due(world: World) -> None:
    from multitask import jobs

    long_ago = world.now - timedelta(days=60)
    world.now = long_ago
    silent_client, silent_freelancer = world.delivered(), world.started()
    world.refund(silent_freelancer)
    contested = world.started()
    world.refund(contested)
    Escrow.objects.filter(pk=contested.escrow.pk).update(frozen_at=long_ago)
    jobs.release_silent(0)
    jobs.accept_silent(0)
    assert silent_client.escrow.state == "released"
    assert silent_freelancer.refund.state == "pending"
    assert contested.refund.state == "requested"


def test_one_that_fails_does_not_keep_the_others_waiting() -> None:
    from multitask import jobs

    done = []

    def do(number: int) -> None:
        done.append(10 // number)

    with pytest.raises(ZeroDivisionError):
        jobs._each([1, 0, 5], do)
    assert done == [10, 2]
