"""Hand-written SQL reads and writes the same rows as the ORM."""

from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model

from multitask import database
from multitask.payments.authorization import access, locks
from multitask.payments.escrow import releases
from multitask.payments.models import AuditEvent, ConnectedAccount, Escrow, HistoryRow, Operation, Withdrawal
from multitask.payments.operations import engine
from multitask.text import folding
from tests.payments_world import World, dollars

pytestmark = pytest.mark.django_db(transaction=True)

STAGES = ["funded", "started", "delivered", "completed", "settled"]
TITLES = ["Draw a logo, number 3", "شِعار للمقهى", "“Quoted” — title", "Œuvre d'été", "x" * 200, "%s 100 %(a)s"]


def columns(row: Model, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name not in without
    }


def jobs_of(task: str) -> list[tuple[Any, ...]]:
    query = """
    SELECT queue_name, priority, lock, queueing_lock, scheduled_at, status, array(SELECT jsonb_object_keys(args))
      FROM procrastinate_jobs WHERE task_name = %s ORDER BY id
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [task])
        return list(cursor.fetchall())


@pytest.mark.parametrize("stage", STAGES)
def test_a_locked_escrow_is_the_one_that_the_orm_reads(world: World, stage: str) -> None:
    job = getattr(world, stage)()
    for actor in (job.client, job.freelancer, world.staff()):
        for escrow_id in (job.escrow.pk, job.escrow.public_id):
            read = access.escrow(actor, escrow_id)
            locked = database.run(partial(locks.locked_escrow, actor, escrow_id))
            assert columns(locked) == columns(read)
            for name in access.WITH_SIDES:
                assert columns(getattr(locked, name)) == columns(getattr(read, name)), name


def test_a_release_returns_what_is_stored(world: World) -> None:
    job = world.completed()
    released = world.release(job)
    assert isinstance(released, Escrow)
    assert columns(released) == columns(Escrow.objects.get(pk=released.pk))
    stored = AuditEvent.objects.filter(escrow=released).order_by("pk")
    assert [columns(event) for event in releases.timeline(released)] == [columns(event) for event in stored]


def test_a_transfer_is_begun_as_the_engine_begins_operations(world: World) -> None:
    job = world.completed()
    world.release(job)
    [written] = Operation.objects.filter(kind="create_transfer")
    begun = database.run(
        lambda: engine.begin(
            written.kind,
            subject_id=written.subject_id + 1,
            provider=written.provider,
            now=written.created_at,
            escrow=job.escrow,
            user_id=written.user_id,
            arguments=written.arguments,
        )
    )
    unlike = ("id", "subject_id")
    assert columns(written, without=unlike) == columns(Operation.objects.get(pk=begun.pk), without=unlike)
    by_release, by_engine = jobs_of("perform_operation")[-2:]
    assert by_release == by_engine


def test_a_withdrawal_returns_what_is_stored(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdraw(job.freelancer, dollars("60.00"))
    stored = Withdrawal.objects.get(pk=withdrawal.pk)
    assert columns(withdrawal) == columns(stored)
    assert withdrawal.account is not None
    assert columns(withdrawal.account) == columns(ConnectedAccount.objects.get(user_id=stored.user_id))


@pytest.mark.parametrize("title", TITLES)
def test_rows_are_found_by_all_words_of_title_description_and_the_other_side(world: World, title: str) -> None:
    job = world.completed(title=title)
    world.release(job)
    for row in HistoryRow.objects.filter(escrow=job.escrow).select_related("sender", "recipient", "escrow__agreement"):
        sides = {side for side in (row.sender, row.recipient) if side is not None and side.pk != row.user_id}
        said = " ".join([row.description, title, *(side.username for side in sides)])
        expected = {f"{row.user_id}:{lexeme}" for lexeme in folding.lexemes(said)}
        with connection.cursor() as cursor:
            cursor.execute("SELECT tsvector_to_array(search) FROM payments_historyrow WHERE id = %s", [row.pk])
            [(found,)] = cursor.fetchall()
        assert set(found) == expected | {f"{row.user_id}:={row.amount_minor}{row.currency}"}
