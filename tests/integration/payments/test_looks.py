"""Periodic jobs process everything that is due: permanent failures at the head do not block the rest."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from multitask import jobs
from multitask.payments.escrow import auto_release
from multitask.payments.models import AuditEvent, EmailState, Escrow, Notice
from multitask.payments.notices import emails, notices
from multitask.users.models import User
from tests import mailbag
from tests.integration.payments.test_polling import copy_payment
from tests.payments_world import World, user_id

pytestmark = pytest.mark.django_db
MANY = 600


def happen(world: World, number: int) -> User:
    """Have so many events that one person is told of."""
    somebody = User.objects.get(pk=user_id(world.client()))
    AuditEvent.objects.bulk_create(
        AuditEvent(event="account_enabled", at=world.now, actor_role="system", actor_label="provider", user=somebody)
        for _ in range(number)
    )
    return somebody


@pytest.mark.breaks_the_books  # The copies have no history and no money.
def test_releases_that_fail_hide_none_behind_them(world: World) -> None:
    last = world.delivered()
    copy_payment(last, MANY)
    # Their work is delivered, and releasing them fails, since there is no payment to release.
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_escrow SET auto_release_at = auto_release_at - interval '1 day' WHERE id > %s",
            [last.escrow.pk],
        )
    world.wait(days=14)

    due = auto_release.due(now=world.now)

    assert (len(due), due[-1]) == (MANY + 1, last.escrow.pk)


def test_emails_whose_jobs_are_lost_each_time_hide_none_behind_them(world: World) -> None:
    happen(world, MANY)
    notices.collect(now=world.now)
    world.lose_jobs()
    world.wait(minutes=10)

    assert emails.sweep(now=world.now) == MANY
    assert emails.sweep(now=world.now) == 0


def test_reminders_are_written_in_batches(world: World) -> None:
    first, second = world.delivered(), world.delivered()
    due = first.escrow.auto_release_at
    assert due is not None
    Escrow.objects.filter(pk=second.escrow.pk).update(auto_release_at=due + timedelta(hours=1))

    assert notices.remind(now=due - timedelta(days=1), limit=1) == 2
    assert notices.remind(now=due - timedelta(hours=23), limit=1) == 0
    assert Notice.objects.filter(kind="auto_release_nearing", email_state=EmailState.PENDING).count() == 2


@pytest.mark.breaks_the_books  # The copies have no history and no money.
def test_reminders_read_no_more_escrows_at_once_than_a_batch(world: World) -> None:
    last = world.delivered()
    copy_payment(last, 7)
    Escrow.objects.update(state="funded", auto_release_at=world.now + timedelta(days=1))
    read: list[int] = []

    def count_escrows(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("SELECT") and 'FROM "payments_escrow"' in sql:
            read.append(context["cursor"].rowcount)
        return result

    with connection.execute_wrapper(count_escrows):
        assert notices.remind(now=world.now, limit=3) == 8

    assert (max(read), sum(read)) == (3, 16)
    assert Notice.objects.filter(kind="auto_release_nearing").count() == 8


def test_one_event_that_fails_keeps_no_other_from_being_told(world: World) -> None:
    somebody = happen(world, 3)
    broken = AuditEvent.objects.order_by("pk")[1]
    # Its notice is refused by the database.
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE payments_notice ADD CONSTRAINT broken CHECK (event_id <> %s) NOT VALID" % broken.pk  # noqa: UP031
        )

    assert notices.collect(now=world.now) == 2
    assert len(mailbag.waiting()) == 2
    assert set(Notice.objects.filter(user=somebody).values_list("event_id", flat=True)) == set(
        AuditEvent.objects.exclude(pk=broken.pk).values_list("pk", flat=True)
    )


def test_a_failure_does_not_end_a_chore() -> None:
    done: list[int] = []

    def do(number: int) -> None:
        if number == 1:
            raise RuntimeError("this one fails each time")
        done.append(number)

    with pytest.raises(RuntimeError):
        jobs._each([1, 2, 3], do)
    assert done == [2, 3]
