"""Money of tasks that were called off: its client is told, the staff sees it, and it is taken back with one button."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from multitask.marketplace import work
from multitask.payments.escrow import disputes, stranded
from multitask.payments.models import EmailState, Escrow, Notice
from multitask.payments.notices import notices, reminders
from multitask.users.actor import Actor
from multitask.web.backoffice import work_items, work_queue
from tests import mailbag
from tests.payments_world import Job, World, dollars


def called_off(world: World) -> Job:
    job = world.funded()
    work.cancel(actor=job.freelancer, task_id=job.task_id, now=world.now)
    return job


def came_back(world: World) -> Job:
    """The whole amount was refunded, and the client's bank sent it back."""
    job = world.started()
    world.refund(job, job.freelancer)
    world.work()
    assert (job.escrow.state, job.task.status) == ("refunded", "cancelled")
    world.wait(days=3)
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail", {"reason": "declined"})
    world.learn_of_refund(job.refund)
    return job


def told(actor: Actor) -> int:
    return Notice.objects.filter(user_id=actor.user_id, kind="money_stranded").count()


def queued(world: World, **later: float) -> int:
    return work_items.counts(world.now + timedelta(**later)).get("stranded", 0)


def test_money_of_a_task_that_was_called_off_is_found(world: World) -> None:
    job = called_off(world)
    found = stranded.found().get()
    assert (found, found.stranded_at) == (job.escrow, world.now)


def test_money_that_came_back_from_a_refund_is_found_with_the_day_it_came(world: World) -> None:
    job = came_back(world)
    found = stranded.found().get()
    assert (found, found.stranded_at) == (job.escrow, world.now)


def test_money_that_something_moves_is_not_stranded(world: World) -> None:
    world.funded()
    world.released()
    under_way, disputed, frozen, decided = (called_off(world) for _ in range(4))
    world.refund(under_way)
    disputes.open_dispute(actor=disputed.client, escrow_id=disputed.escrow.pk, reason="Late", now=world.now)
    Escrow.objects.filter(pk=frozen.escrow.pk).update(frozen_at=world.now)
    world.refund(decided)
    world.work()
    assert decided.escrow.state == "refunded"
    assert not stranded.found().exclude(pk=under_way.escrow.pk).exists()
    world.work()
    assert not stranded.found().exists()


def test_a_large_refund_that_waits_for_a_second_person_is_not_stranded(world: World) -> None:
    job = world.funded(dollars("2500.00"))
    work.cancel(actor=job.freelancer, task_id=job.task_id, now=world.now)
    world.refund(job, world.staff(), dollars("2500.00"))
    assert not stranded.found().exists()


@pytest.mark.parametrize("scene", [called_off, came_back])
def test_the_client_is_told_after_a_day_a_week_and_a_month(world: World, scene: object) -> None:
    job: Job = scene(world)  # type: ignore[operator]
    days = [day for day in range(40) if reminders.remind(now=world.now + timedelta(days=day, minutes=1))]
    assert days == [1, 7, 30]
    assert (told(job.client), told(job.freelancer)) == (3, 0)


def test_nobody_is_told_again_because_the_notice_was_deleted(world: World, settings: Settings) -> None:
    settings.RETENTION_NOTICE_DAYS = 90
    job, days = called_off(world), []
    for day in (1, 7, 30, 60, 100, 119, 120, 121, 122, 250, 500):
        now = world.now + timedelta(days=day, minutes=1)
        days += [day] * reminders.remind(now=now)
        Notice.objects.update(email_state=EmailState.SENT.value)
        notices.purge(before=now - timedelta(days=90))
    assert (days, told(job.client)) == ([1, 7, 30], 0)


def test_the_client_who_takes_it_back_is_told_no_more(world: World) -> None:
    job = called_off(world)
    world.wait(days=2)
    reminders.remind(now=world.now)
    mailbag.empty(world.now)
    assert queued(world) == 1
    world.refund(job)
    world.work()
    assert job.escrow.state == "refunded"
    assert reminders.remind(now=world.now + timedelta(days=10)) == 0
    assert (told(job.client), queued(world)) == (1, 0)


def test_the_staff_sees_it_after_a_day(world: World) -> None:
    job = called_off(world)
    assert queued(world, hours=23) == 0
    assert queued(world, hours=25) == 1
    assert work_queue.stranded_money(world.now + timedelta(days=2)).get() == job.escrow
