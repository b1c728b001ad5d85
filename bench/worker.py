"""The worker: real jobs compared with an empty job, in turns, and its memory after ten thousand jobs."""

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
from bench.servers import Servers, megabytes, running

WORK: Final = Path(__file__).with_name("worker.sql")
MEMORY_BOUND: Final = 200
BATCH_SECONDS: Final = 300

# All jobs of a batch are deferred in one transaction, so that the worker finds all of them at once.
DEFER_NOTHING: Final = """
SELECT procrastinate_defer_jobs_v1(array_agg(
       ROW('operations', %s, 0, NULL, NULL, jsonb_build_object('number', n), NULL)::procrastinate_job_to_defer_v1))
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
    RETURNING id
)
SELECT procrastinate_defer_jobs_v1(array_agg(
       ROW('webhooks', 'process_webhook', 0, NULL, NULL, jsonb_build_object('event_id', id), NULL)
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
# From the first start to the last end, as the queue recorded it.
RATE: Final = """
SELECT count(DISTINCT job_id) / extract(epoch FROM max(at) - min(at))
  FROM procrastinate_events
 WHERE job_id > %s AND type IN ('started', 'succeeded')
   AND job_id IN (SELECT id FROM procrastinate_jobs WHERE task_name = %s)
"""


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
    batch = max(1, chosen.jobs // (3 * chosen.rounds))
    report = Report("Worker: real jobs beside a job that does nothing", rounds=chosen.rounds, jobs_per_batch=batch)
    with running() as up:
        machine.show(up.here.database_url)
        up.start_sandbox()
        up.start_web()
        scene = _set_scene(up)
        up.stop("web")
        up.start_worker()
        _run_batch(up, NOTHING, lambda database: database.execute(DEFER_NOTHING, [NOTHING, 20]))
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
        NOTHING: lambda database: database.execute(DEFER_NOTHING, [NOTHING, batch]),
        "process_webhook": lambda database: database.execute(DEFER_EVENTS, [scene.payment["id"], body.decode(), batch]),
        "perform_operation": lambda database: _defer_operations(database, scene, batch),
    }
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, defer in kinds.items():
            rates[name].append(_run_batch(up, name, defer))
    floor = statistics.median(rates[NOTHING])
    for name, found in rates.items():
        rate = statistics.median(found)
        beside = "" if name == NOTHING else f", {rate / floor:.2f} of the rate of a job that does nothing"
        report.figure(f"{name}, jobs per second (median of rounds)", f"{rate:.0f}{beside}")


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
    """Defer a batch, wait until it is done, and return the jobs per second."""
    with up.connected() as database:
        ((before,),) = database.execute("SELECT coalesce(max(id), 0) FROM procrastinate_jobs").fetchall()
        defer(database)
        deadline = time.monotonic() + BATCH_SECONDS
        while database.execute(UNFINISHED, [name]).fetchall() != [(0,)]:
            up.programs.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name}: not done in {BATCH_SECONDS} s")
            time.sleep(0.1)
        ((rate,),) = database.execute(RATE, [before, name]).fetchall()
    return float(rate)


def _verify(up: Servers, report: Report) -> None:
    """Check that every job succeeded and had its effect."""
    with up.connected() as database:
        ended = database.execute(ENDED).fetchall()
        ((lacking,),) = database.execute(LACKING).fetchall()
    done = sum(number for _, status, number in ended if status == "succeeded")
    failed = {task: number for task, status, number in ended if status == "failed"}
    report.figure("jobs done, including periodic jobs", str(done))
    report.at_most(f"jobs that failed {failed or ''}".strip(), sum(failed.values()), 0)
    report.at_most("events and operations without their effect", lacking, 0)


def _weigh(up: Servers, report: Report) -> None:
    family = up.memory("worker")
    report.figure("worker resident at its highest", f"{sum(each.peak for each in family.values()) / 1e6:.0f} MB")
    report.at_most("worker resident after", sum(each.now for each in family.values()) / 1e6, MEMORY_BOUND, " MB")


if __name__ == "__main__":
    raise SystemExit(main())
