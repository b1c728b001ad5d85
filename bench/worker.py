"""The worker: real jobs compared with an empty job, in turns, and its memory after ten thousand jobs.

The floor is an empty job in procrastinate's own worker, with as many threads as we have for operations. The empty job
in our worker is shown beside it.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from bench import client, events, machine, people
from bench.jobs import NOTHING
from bench.report import Report
from bench.servers import MANAGE, Servers, megabytes, running

WORK: Final = Path(__file__).with_name("worker.sql")
MEMORY_BOUND: Final = 200
BATCH_SECONDS: Final = 300
LOOK_SECONDS: Final = 0.02

# Real jobs per second, to empty jobs in procrastinate's own worker.
BOUND: Final = 0.35
FLOOR_QUEUE: Final = "floor"
FLOOR: Final = "empty job in procrastinate's worker"
FLOOR_OPTIONS: Final = ["--queues", FLOOR_QUEUE, "--concurrency", "5", "--fetch-job-polling-interval", "0.2"]
# Procrastinate's own worker finds its next job by this index, which we do without.
FLOOR_INDEX: Final = """
CREATE INDEX bench_floor_next ON procrastinate_jobs (priority DESC, id) WHERE status = 'todo'
"""
# All jobs of a batch are deferred in one transaction, so that the worker finds all of them at once.
DEFER_NOTHING: Final = """
SELECT procrastinate_defer_jobs_v1(array_agg(
       ROW(%s, %s, 0, NULL, NULL, jsonb_build_object('number', n), NULL)::procrastinate_job_to_defer_v1))
  FROM generate_series(1, %s) AS n
"""
# Each is about another account, so that one read at the provider never handles several events.
DEFER_EVENTS: Final = """
WITH stored AS (
    INSERT INTO webhooks_incomingevent
           (provider, event_id, kind, account_id, subject, object_id, payload, received_at, waiting_since,
            next_attempt_at, state, attempts, last_error)
    SELECT 'stripe', 'evt_' || gen_random_uuid(), 'payment_intent.created', 'acct_' || n, 'payment', %s, %s,
           now(), now(), now(), 'received', 0, ''
      FROM generate_series(1, %s) AS n
    RETURNING id, concat_ws(' ', provider, subject, account_id, object_id) AS key
)
SELECT procrastinate_defer_jobs_v1(array_agg(
       ROW('webhooks', 'process_webhook', 0, NULL, key, jsonb_build_object('event_id', id), NULL)
       ::procrastinate_job_to_defer_v1))
  FROM stored
"""
UNFINISHED: Final = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND status IN ('todo', 'doing')"
ENDED: Final = "SELECT task_name, status::text, count(*) FROM procrastinate_jobs GROUP BY 1, 2"
LACKING: Final = """
SELECT (SELECT count(*) FROM webhooks_incomingevent WHERE state <> 'processed')
     + (SELECT count(*) FROM payments_operation WHERE state <> 'succeeded')
     + (SELECT count(*) FROM payments_payment WHERE provider_payment_id IS NULL)
"""


# A smaller batch of empty jobs may be done between two looks, which gives no rate.
LEAST_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Scene:
    """What the batches need: two people, the payer's customer id, and one payment at the provider."""

    payer: people.Person
    worker: people.Person
    customer_id: str
    payment: dict[str, Any]


def main() -> int:
    """Defer batches of each kind in turns, and compute their rates from what the queue recorded."""
    chosen = _parser().parse_args()
    batch = max(LEAST_BATCH, chosen.jobs // (3 * chosen.rounds))
    report = Report("Worker: real jobs beside a job that does nothing", rounds=chosen.rounds, jobs_per_batch=batch)
    with running() as up:
        machine.show(up.here.database_url)
        up.start_sandbox()
        up.start_web()
        scene = _set_scene(up)
        up.stop("web")
        with up.connected() as database:
            database.execute(FLOOR_INDEX)
        up.start_worker()
        up.programs.start("floor", [*MANAGE, "procrastinate", "worker", *FLOOR_OPTIONS], up.environment)
        _run_batch(up, NOTHING, lambda database: database.execute(DEFER_NOTHING, ["operations", NOTHING, 20]))
        report.figure("worker resident before", megabytes(up.memory("worker")))
        _measure(up, report, scene, chosen.rounds, batch)
        _verify(up, report)
        _weigh(up, report)
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench worker", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs in all, a third of each kind")
    parser.add_argument("--rounds", type=int, default=10, help="batches of each kind")
    return parser


def _set_scene(up: Servers) -> Scene:
    web = client.Connection(up.here.web)
    payer, worker = people.register(web, client=True), people.register(web, freelancer=True)
    intent = people.intend(web, payer, worker)
    web.close()
    payment = events.at_provider(up, intent["payment_intent_id"])
    return Scene(payer, worker, str(payment["customer"]), payment)


def _measure(up: Servers, report: Report, scene: Scene, rounds: int, batch: int) -> None:
    _, body = events.make(scene.payment)
    kinds: dict[str, Callable[[psycopg.Connection[Any]], object]] = {
        FLOOR: lambda database: database.execute(DEFER_NOTHING, [FLOOR_QUEUE, NOTHING, batch]),
        NOTHING: lambda database: database.execute(DEFER_NOTHING, ["operations", NOTHING, batch]),
        "process_webhook": lambda database: database.execute(DEFER_EVENTS, [scene.payment["id"], body.decode(), batch]),
        "perform_operation": lambda database: _defer_operations(database, scene, batch),
    }
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, defer in kinds.items():
            rates[name].append(_run_batch(up, NOTHING if name == FLOOR else name, defer))
    for name, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(found, rates[NOTHING], strict=True))
        text = f"{statistics.median(found):.0f}, {ratio:.2f} of those of the empty job in our worker"
        report.figure(f"{name}, jobs per second (median of rounds)", text)
    for name in ("process_webhook", "perform_operation"):
        ratio = statistics.median(a / b for a, b in zip(rates[name], rates[FLOOR], strict=True))
        report.at_least(f"{name}, to the {FLOOR}", ratio, BOUND)


def _defer_operations(database: psycopg.Connection[Any], scene: Scene, number: int) -> None:
    with database.transaction():
        database.execute(
            "CREATE TEMPORARY TABLE work ON COMMIT DROP AS SELECT %s::bigint AS client_id, "
            "%s::bigint AS freelancer_id, %s::text AS customer_id, %s::int AS number",
            [scene.payer.id, scene.worker.id, scene.customer_id, number],
        )
        for statement in WORK.read_text().split(";\n"):
            if statement.strip():
                database.execute(statement.encode())


def _run_batch(up: Servers, name: str, defer: Callable[[psycopg.Connection[Any]], object]) -> float:
    """Defer a batch, wait until it is done, and return the jobs per second, from the first end to the last."""
    with up.connected() as database:
        defer(database)
        deadline = time.monotonic() + BATCH_SECONDS
        deferred = left = _unfinished(database, name)
        counted, began = 0, time.monotonic()
        while left:
            up.programs.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name}: not done in {BATCH_SECONDS} s")
            time.sleep(LOOK_SECONDS)
            left = _unfinished(database, name)
            if not counted and left < deferred:
                counted, began = left, time.monotonic()
        return counted / (time.monotonic() - began)


def _unfinished(database: psycopg.Connection[Any], name: str) -> int:
    ((number,),) = database.execute(UNFINISHED, [name]).fetchall()
    return int(number)


def _verify(up: Servers, report: Report) -> None:
    """Check that every job succeeded and had its effect."""
    with up.connected() as database:
        ended = database.execute(ENDED).fetchall()
        ((lacking,),) = database.execute(LACKING).fetchall()
    failed = {task: number for task, status, number in ended if status == "failed"}
    report.at_most(f"jobs that failed {failed or ''}".strip(), sum(failed.values()), 0)
    report.at_most("events and operations without their effect", lacking, 0)


def _weigh(up: Servers, report: Report) -> None:
    family = up.memory("worker")
    report.figure("worker resident at its highest", f"{sum(each.peak for each in family.values()) / 1e6:.0f} MB")
    report.at_most("worker resident after", sum(each.now for each in family.values()) / 1e6, MEMORY_BOUND, " MB")


if __name__ == "__main__":
    raise SystemExit(main())
