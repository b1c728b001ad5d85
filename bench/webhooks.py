"""The webhook endpoint compared with a minimal view that inserts one row: same server, same bodies, in turns."""

import argparse
import statistics
import time
from collections.abc import Mapping
from typing import Any

from bench import client, events, machine
from bench.report import Report
from bench.servers import WEB_THREADS, Servers, running

BOUND = 0.6
FLOOR_TABLE = """
CREATE TABLE bench_floor (id bigserial PRIMARY KEY, event_id text NOT NULL UNIQUE, payload text NOT NULL)
"""
PROCESS_SECONDS = 600


def main() -> int:
    """Measure both, then let the worker process the accepted events, and check that none was lost."""
    chosen = _parser().parse_args()
    report = Report(
        "Webhook endpoint compared with a minimal view that inserts one row",
        rounds=chosen.rounds,
        events_per_round=chosen.events,
        connections=chosen.connections,
        web=f"granian, 1 worker, {WEB_THREADS} threads",
        database="commits wait for the disk",
    )
    with running() as up:
        machine.show(up.here.database_url)
        up.start_sandbox()
        up.start_web()
        with up.connected() as database:
            database.execute(FLOOR_TABLE)
        payments = events.payments(up, 5)
        accepted = _compare(up, report, payments, chosen)
        _repeat(up, report, accepted, chosen.connections)
        _process(up, report, accepted)
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench webhooks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how often each is measured")
    parser.add_argument("--events", type=int, default=250, help="requests per round to each")
    parser.add_argument("--connections", type=int, default=WEB_THREADS, help="connections that send at once")
    return parser


def _compare(
    up: Servers, report: Report, payments: list[dict[str, Any]], chosen: argparse.Namespace
) -> dict[str, bytes]:
    """Send requests to the minimal view and the endpoint in turns; return the accepted bodies by event id."""
    accepted: dict[str, bytes] = {}
    floors, rates, ratios = [], [], []
    for number in range(-1, chosen.rounds):  # The first round warms up.
        batch = dict(events.make(payments[each % len(payments)]) for each in range(chosen.events))
        accepted |= batch
        if number % 2:
            floor, rate = _load_floor(up, batch, chosen.connections), _deliver(up, batch, chosen.connections)
        else:
            rate, floor = _deliver(up, batch, chosen.connections), _load_floor(up, batch, chosen.connections)
        if number >= 0:
            floors.append(floor)
            rates.append(rate)
            ratios.append(rate / floor)
    body = len(next(iter(accepted.values())))
    report.figure("bytes of one event", str(body))
    report.figure("minimal view, requests per second (median of rounds)", f"{statistics.median(floors):.0f}")
    report.figure("webhook endpoint, events per second (median of rounds)", f"{statistics.median(rates):.0f}")
    report.figure("ratio, lowest and highest round", f"{min(ratios):.2f} to {max(ratios):.2f}")
    report.at_least("ratio (median of rounds)", statistics.median(ratios), BOUND)
    return accepted


def _load_floor(up: Servers, batch: Mapping[str, bytes], connections: int) -> float:
    """Return the requests per second of the minimal view."""
    path = "/bench/floor/"
    messages = [client.request("POST", path, body=body, headers={"X-Event-Id": id_}) for id_, body in batch.items()]
    return _all_taken(client.load(up.here.web, messages, connections=connections))


def _deliver(up: Servers, batch: Mapping[str, bytes], connections: int) -> float:
    """Return the events per second that the endpoint accepts."""
    messages = [events.delivery(up, body) for body in batch.values()]
    return _all_taken(client.load(up.here.web, messages, connections=connections))


def _all_taken(load: client.Load) -> float:
    if set(load.statuses) != {200}:
        raise client.BadAnswer(f"not everything was taken: {dict(load.statuses)}")
    return load.per_second


def _repeat(up: Servers, report: Report, accepted: Mapping[str, bytes], connections: int) -> None:
    """Deliver some of the events again, which must have no effect."""
    again = dict(list(accepted.items())[: min(200, len(accepted))])
    report.figure("repeated deliveries per second", f"{_deliver(up, again, connections):.0f}")


def _process(up: Servers, report: Report, accepted: Mapping[str, bytes]) -> None:
    """Start the worker and wait until the queue is empty; check that every event was stored once and processed."""
    up.start_worker()
    began = time.perf_counter()
    while _count(up, "SELECT count(*) FROM webhooks_incomingevent WHERE state = 'received'"):
        up.programs.check()
        if time.perf_counter() - began > PROCESS_SECONDS:
            break
        time.sleep(0.2)
    seconds = time.perf_counter() - began
    with up.connected() as database:
        stored: dict[str, str] = dict(database.execute("SELECT event_id, state FROM webhooks_incomingevent").fetchall())
    processed = sum(state == "processed" for state in stored.values())
    jobs = _count(up, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'process_webhook'")
    report.figure("accepted, stored, jobs, processed", f"{len(accepted)}, {len(stored)}, {jobs}, {processed}")
    report.figure("processed per second, one worker", f"{processed / seconds:.0f}")
    report.at_most("events lost or not processed", len(accepted.keys() - stored.keys()) + len(stored) - processed, 0)


def _count(up: Servers, query: str) -> int:
    with up.connected() as database:
        ((number,),) = database.execute(query).fetchall()
    return int(number)


if __name__ == "__main__":
    raise SystemExit(main())
