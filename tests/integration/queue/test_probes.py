"""Whether a row's job waits is one lookup in an index, whatever PostgreSQL's statistics say about the queue.

The tests read the plans of the queries themselves. With statistics from before a backlog, PostgreSQL expects no job
that waits, so any plan that reads all of them seems as cheap as a lookup.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from multitask.payments.models import Notice, Operation
from multitask.payments.notices import emails
from multitask.payments.operations import sweeper
from multitask.payments.payouts import availability
from multitask.webhooks import incoming
from tests.integration.queue import backlog
from tests.payments_world import World, user_id

BACKLOG = 20_000
TABLES = "procrastinate_jobs, webhooks_incomingevent, payments_operation, payments_notice, payments_escrow"
ARGUMENTS = {
    "process_webhook": "event_id",
    "perform_operation": "operation_id",
    "make_account_available": "account_id",
    "send_email": "notice_id",
}
# A job of an event is found by its object, the others by the id of a row.
BY_LOCK = {"process_webhook": ("procrastinate_jobs_queueing_lock_idx_v1", "queueing_lock")}
BY_ID = {task: ("multitask_queued", f"'{name}'") for task, name in ARGUMENTS.items() if task not in BY_LOCK}
INDEXES = {**BY_LOCK, **BY_ID}
_JOBS = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)
SELECT 'any', %s, jsonb_build_object(%s::text, number), %s::procrastinate_job_status
  FROM unnest(%s::bigint[]) AS number
"""

Sweep = Callable[[], object]


def jobs(task: str, ids: list[int], status: str = "todo") -> None:
    with connection.cursor() as cursor:
        cursor.execute(_JOBS, [task, ARGUMENTS[task], status, ids])


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {TABLES}")


def of_events(world: World) -> Sweep:
    backlog.fill(BACKLOG, analyzed=False)
    return lambda: incoming.sweep(now=timezone.now())


def of_operations(world: World) -> Sweep:
    Operation.objects.bulk_create(
        Operation(
            kind="create_transfer",
            subject_id=10_000_000 + number,
            provider="stripe",
            created_at=world.now,
            next_attempt_at=world.now,
        )
        for number in range(BACKLOG)
    )
    jobs("perform_operation", list(Operation.objects.values_list("pk", flat=True)))
    return lambda: sweeper.sweep(now=world.now)


def of_emails(world: World) -> Sweep:
    reader = user_id(world.client())
    Notice.objects.bulk_create(
        Notice(user_id=reader, kind="account_enabled", reference=str(number), created_at=world.now)
        for number in range(BACKLOG)
    )
    world.wait(minutes=10)
    jobs("send_email", list(Notice.objects.values_list("pk", flat=True)))
    return lambda: emails.sweep(now=world.now)


def of_settlements(world: World) -> Sweep:
    freelancer = world.freelancer()
    world.released(freelancer=freelancer)
    account = world.account(freelancer)
    world.lose_jobs()
    jobs("make_account_available", [account.pk, *range(10_000_000, 10_000_000 + BACKLOG)])
    return lambda: availability.account_balance_changed("stripe", str(account.provider_account_id), world.now)


USERS = {
    "process_webhook": of_events,
    "perform_operation": of_operations,
    "send_email": of_emails,
    "make_account_available": of_settlements,
}

BATCHES = {"process_webhook": 40, "perform_operation": 40, "send_email": 100, "make_account_available": 1}


def plans(sweep: Sweep) -> list[dict[str, Any]]:
    """Plan every query of a sweep again that asks about jobs."""
    with CaptureQueriesContext(connection) as queries:
        sweep()
    asked = [query["sql"] for query in queries if "procrastinate_jobs" in query["sql"]]
    found = []
    with connection.cursor() as cursor:
        for sql in asked:
            cursor.execute("EXPLAIN (FORMAT JSON) " + sql.replace("%", "%%"))
            answer = cursor.fetchone()[0]
            found.append((json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"])
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.django_db
@pytest.mark.parametrize("statistics", ["none of it", "only what is done", "up to date"])
@pytest.mark.parametrize("task", USERS)
def test_each_row_costs_one_lookup(world: World, task: str, statistics: str) -> None:
    if statistics == "only what is done":
        jobs(task, list(range(20_000_000, 20_000_000 + BACKLOG)), "succeeded")
    analyze()
    sweep = USERS[task](world)
    if statistics == "up to date":
        analyze()

    asked = plans(sweep)

    assert len(asked) == BATCHES[task]
    for plan in asked:
        reads = [node for node in nodes(plan) if node.get("Relation Name") == "procrastinate_jobs"]
        index, condition = INDEXES[task]
        lookups = [
            node
            for node in nodes(plan)
            if condition in node.get("Index Cond", "") and node["Index Name"].startswith(index)
        ]
        assert len(reads) == len(lookups) == 1, json.dumps(plan, indent=1)
        assert not [node for node in nodes(plan) if "Join" in node["Node Type"] or node["Node Type"] == "Nested Loop"]
        assert task == "make_account_available" or any(
            "(id = ANY" in node.get("Index Cond", "") for node in nodes(plan)
        )


@pytest.mark.django_db
def test_all_who_ask_are_looked_at() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'multitask_queued_%%'")
        defined = " ".join(row[0] for row in cursor.fetchall())

    assert set(USERS) == set(ARGUMENTS)
    assert all(f"'{task}'" in defined and f"'{ARGUMENTS[task]}'" in defined for task in BY_ID)
