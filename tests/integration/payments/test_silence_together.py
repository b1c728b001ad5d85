"""Many silent clients at once: one transaction writes what the releases of each alone would have written."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from multitask import jobs
from multitask.payments.escrow import auto_release, disputes
from multitask.payments.models import AuditEvent, Escrow, HistoryRow, HistoryTotal, Milestone, Operation
from multitask.users.actor import Actor
from tests import refused_escrows
from tests.integration.payments.loss_events import owing
from tests.integration.races import together
from tests.payments_world import Job, World, dollars, held, user_id

pytestmark = pytest.mark.django_db(transaction=True)
ITS_OWN = {"id", "public_id", "escrow_id", "subject_id", "reference", "request_id"}


def silent(world: World, job: Job) -> Job:
    """Let the time of the job's client be over."""
    Escrow.objects.filter(pk=job.escrow.pk).update(auto_release_at=world.now)
    return job


def delivered(world: World, number: int, **more: Any) -> list[Job]:
    return [silent(world, world.delivered(**more)) for _ in range(number)]


def written(job: Job) -> list[Any]:
    """Everything that was written about an escrow, without what no two escrows share."""
    tables = (
        (Escrow, {"pk": job.escrow.pk}),
        (Milestone, {"pk": job.escrow.milestone_id}),
        (HistoryRow, {"escrow_id": job.escrow.pk}),
        (AuditEvent, {"escrow_id": job.escrow.pk}),
        (Operation, {"escrow_id": job.escrow.pk}),
    )
    left_out = ITS_OWN | {"milestone_id", "agreement_id", "provider_payment_id", "payer_token", "provider_reference"}
    return [
        [
            {name: value for name, value in row.items() if name not in left_out and not name.endswith("_at")}
            for row in model._default_manager.filter(**condition).order_by("pk").values()
        ]
        for model, condition in tables
    ]


def totals(actor: Actor) -> list[Any]:
    rows = HistoryTotal.objects.filter(user_id=user_id(actor)).order_by("type", "status", "direction")
    return list(rows.values_list("type", "status", "direction", "rows", "amount_minor", "fee_minor"))


def test_together_and_alone_write_the_same(world: World) -> None:
    client, freelancer = world.client(), world.freelancer()
    alone, first, second = delivered(world, 3, client=client, freelancer=freelancer)

    assert auto_release.release(escrow_id=alone.escrow.pk, now=world.now)
    assert auto_release.release_together([second.escrow.pk, first.escrow.pk], now=world.now) == 2

    assert written(first) == written(second) == written(alone)
    assert len({job.escrow.released_at for job in (alone, first, second)}) == 1
    assert held(f"user:{user_id(freelancer)}:pending") == 3 * 8_500
    released = [row for row in totals(freelancer) if row[0] == "escrow_release"]
    assert released == [("escrow_release", "completed", "in", 3, 30_000, 4_500)]
    world.work()
    assert [job.transfer.state for job in (alone, first, second)] == ["succeeded"] * 3


def test_all_are_posted_in_one_statement(world: World) -> None:
    found = delivered(world, 3)
    with CaptureQueriesContext(connection) as statements:
        auto_release.release_together([job.escrow.pk for job in found], now=world.now)
    assert sum("ledger_post" in statement["sql"] for statement in statements) == 1
    assert {job.escrow.state for job in found} == {"released"}


def test_payees_who_owe_pay_from_each_of_their_shares(world: World) -> None:
    """85.00 are owed: the first share pays all of its 59.50, the second the rest, and others keep theirs."""
    owed = owing(world)
    others = delivered(world, 1)
    theirs = [
        silent(world, world.delivered(dollars("70.00"), client=owed.client, freelancer=owed.freelancer))
        for _ in range(2)
    ]
    found = [*theirs, *others]

    assert auto_release.release_together([job.escrow.pk for job in found], now=world.now) == 3

    assert [job.escrow.netted_minor for job in found] == [5_950, 2_550, 0]
    assert held(f"user:{user_id(owed.freelancer)}:receivable") == 0
    assert held(f"user:{user_id(owed.freelancer)}:pending") == 3_400
    assert held(f"user:{user_id(found[2].freelancer)}:pending") == 8_500


def test_what_is_no_longer_due_is_left_alone(world: World) -> None:
    early, disputed, released, due = delivered(world, 4)
    Escrow.objects.filter(pk=early.escrow.pk).update(auto_release_at=world.now + timedelta(microseconds=1))
    disputes.open_dispute(actor=disputed.client, escrow_id=disputed.escrow.pk, reason="Late", now=world.now)
    Escrow.objects.filter(pk=disputed.escrow.pk).update(auto_release_at=world.now)
    auto_release.release(escrow_id=released.escrow.pk, now=world.now)

    ids = [job.escrow.pk for job in (early, disputed, released, due)]
    assert auto_release.release_together(ids, now=world.now) == 1

    assert [job.escrow.state for job in (early, disputed, released, due)] == [
        "funded",
        "disputed",
        "released",
        "released",
    ]
    assert auto_release.release_together(ids, now=world.now) == 0


def test_an_error_on_one_does_not_block_the_others(world: World) -> None:
    world.wait(timezone.now() - world.now)
    found = delivered(world, 3)
    refused_escrows.refuse(found[1].escrow.pk)
    with pytest.raises(Exception, match="refused"):
        jobs.release_silent(0)
    assert [job.escrow.state for job in found] == ["released", "funded", "released"]
    refused_escrows.allow()
    jobs.release_silent(0)
    assert found[1].escrow.state == "released"


def test_jobs_and_clients_at_once_release_each_once(world: World) -> None:
    """Two people on both sides of all escrows, so that every release wants the same totals."""
    client, freelancer = world.client(), world.freelancer()
    found = delivered(world, 6, client=client, freelancer=freelancer)
    ids = [job.escrow.pk for job in found]
    turned = delivered(world, 6, client=world.client(), freelancer=freelancer)
    other_ids = [job.escrow.pk for job in turned]

    answers = together(
        [
            *[lambda: auto_release.release_together([*ids, *other_ids], now=world.now)] * 2,
            lambda: auto_release.release_together([*other_ids[::-1], *ids[::-1]], now=world.now),
            *[lambda number=number: auto_release.release(escrow_id=number, now=world.now) for number in ids[::-1]],
            *[lambda number=number: auto_release.release(escrow_id=number, now=world.now) for number in other_ids],
        ]
    )

    assert sum(answers) == 12, answers
    assert held(f"user:{user_id(freelancer)}:pending") == 12 * 8_500
