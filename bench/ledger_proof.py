"""The incremental proof of the books after a thousand new postings: on long books, compared with short ones.

Both databases are proven up to a checkpoint; then, in turns, a thousand postings are made in each and proven. The
proof runs in this process, whose memory is measured, with the same code as the worker's hourly job.
"""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench import machine, servers
from bench.report import Report

SHORT = 100_000
LONG = int(os.environ.get("BENCH_ENTRIES", "1000000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
NEW = 1_000
BOUND = 2.0
MOST_MEGABYTES = 200
_ENTRIES_PER_STORY = 11
_STORIES_AT_ONCE = 50_000
_STORIES_PER_PAYEE = 20
PAST = Path(__file__).with_name("ledger_proof.sql")
POST = """
SELECT count(ledger_post('released', 'bench:new', %s || n, now(), '', '{}', NULL,
             ARRAY['bench-bank', 'bench-fees', 'bench-new:' || n %% 500], ARRAY['USD', 'USD', 'USD'],
             ARRAY[NULL, NULL, 0]::bigint[],
             ARRAY[32, 32, 1]::smallint[], ARRAY[-10000, 1500, 8500]::bigint[]))
  FROM generate_series(1, %s) n
"""


def main() -> int:
    """Run the benchmark; return 1 if a bound was missed."""
    with ExitStack() as held:
        up = held.enter_context(servers.running())
        short = held.enter_context(servers.running())
        report = Report("Ledger: proof", entries_short=SHORT, entries_long=LONG, new_postings=NEW, rounds=ROUNDS)
        machine.show(up.here.database_url)
        os.environ.update(up.environment, LOG_LEVEL="WARNING")
        import django

        django.setup()
        urls = {"short": short.here.database_url, "long": up.here.database_url}
        for name, entries in (("short", SHORT), ("long", LONG)):
            _fill(urls[name], entries)
            with _connected(urls[name]):
                report.figure(f"first proof of the {name} books, from nothing", f"{_chain_and_prove():.1f} s")
        _compare(report, urls)
        return report.status()


def _fill(url: str, entries: int) -> None:
    stories = entries // _ENTRIES_PER_STORY
    with psycopg.connect(url, autocommit=True) as database:
        for first in range(1, stories + 1, _STORIES_AT_ONCE):
            last = min(first + _STORIES_AT_ONCE - 1, stories)
            people = max(1, stories // _STORIES_PER_PAYEE)
            database.execute(PAST.read_text().format(first=first, last=last, people=people).encode())
        database.execute("VACUUM ANALYZE")
        database.execute("CHECKPOINT")


def _compare(report: Report, urls: dict[str, str]) -> None:
    """Post and prove in turns; the first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in urls}
    for number in range(ROUNDS + 1):
        for name in list(urls)[:: -1 if number % 2 else 1]:
            with psycopg.connect(urls[name], autocommit=True) as database:
                database.execute(POST, [f"{number}:", NEW])
            with _connected(urls[name]):
                took = _chain_and_prove()
            if number:
                seconds[name].append(took)
    for name, found in seconds.items():
        report.figure(f"proof after {NEW} postings: {name} books", f"median {statistics.median(found):.2f} s")
    ratios = [long / short for long, short in zip(seconds["long"], seconds["short"], strict=True)]
    report.at_most("proof: long books / short books", statistics.median(ratios), BOUND)
    megabytes = servers._memory(os.getpid()).peak / 1e6
    report.at_most("memory of the process that proved both, at its peak", megabytes, MOST_MEGABYTES, " MB")


def _chain_and_prove() -> float:
    """Chain what is closed, as its own job does beforehand, and prove the books; return the seconds of the proof."""
    from multitask import ledger
    from multitask.ledger import chain, proof

    chain.extend(until=ledger.closed_until(), most_links=1_000_000)
    began = time.perf_counter()
    found = proof.run(with_providers=False)
    took = time.perf_counter() - began
    if found:
        raise RuntimeError(f"the books are not sound: {found[0]}")
    return took


@contextmanager
def _connected(url: str) -> Iterator[None]:
    """Let Django use this database, without its pool."""
    from django.db import DEFAULT_DB_ALIAS, connections

    parts = psycopg.conninfo.conninfo_to_dict(url)
    usual = connections[DEFAULT_DB_ALIAS]
    wrapper = connections.create_connection(DEFAULT_DB_ALIAS)
    options: dict[str, Any] = {key: value for key, value in wrapper.settings_dict["OPTIONS"].items() if key != "pool"}
    there = {name.upper(): str(parts[name]) for name in ("host", "port", "user", "password")}
    wrapper.settings_dict = {**wrapper.settings_dict, **there, "NAME": parts["dbname"], "OPTIONS": options}
    connections[DEFAULT_DB_ALIAS] = wrapper
    try:
        yield
    finally:
        wrapper.close()
        connections[DEFAULT_DB_ALIAS] = usual


if __name__ == "__main__":
    raise SystemExit(main())
