"""Queries on an account with a thousand entries, compared with one with a million."""

import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from bench import machine, servers
from bench.report import Report, milliseconds

SHORT = 1_000
LONG = int(os.environ.get("BENCH_ENTRIES", "1000000"))
PAIRS = 300
WARM_UP = 20
BOUND = 1.5
PAST = Path(__file__).with_name("ledger_reading.sql")
BEGAN_AT = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    """Run the benchmark; return 1 if a bound was missed."""
    with servers.running() as up:
        report = Report("Ledger: reading", entries_short=SHORT, entries_long=LONG, pairs=PAIRS)
        machine.show(up.here.database_url)
        with psycopg.connect(up.here.database_url, autocommit=True) as database:
            database.execute(PAST.read_text().format(short=SHORT, long=LONG).encode())
            database.execute("VACUUM ANALYZE")
        os.environ.update(up.environment, LOG_LEVEL="WARNING")
        import django

        django.setup()
        _compare_all(report)
        began = time.perf_counter()
        up.programs.finish("check_ledger", [*servers.MANAGE, "check_ledger", "--without-provider"], up.environment)
        report.figure("ledger checked afterwards (check_ledger)", f"{time.perf_counter() - began:.1f} s")
        return report.status()


def _compare_all(report: Report) -> None:
    from django.db import connection

    from multitask import ledger

    end = BEGAN_AT + timedelta(days=1)
    middle = {code: ledger.entries(code, "USD", limit=SHORT // 2)[-1] for code in ("bench-short", "bench-long")}
    reads: dict[str, Callable[[str], object]] = {
        "balance": lambda code: ledger.balance(code, "USD"),
        "first page of 20 entries": lambda code: ledger.entries(code, "USD", limit=20),
        "a page 500 entries back": lambda code: ledger.entries(code, "USD", limit=20, before=middle[code]),
    }
    for name, read in reads.items():
        _compare(report, name, read, BOUND)
    # Found by binary search, so with a thousand times the entries it takes twice the steps.
    _compare(report, "balance at a moment past", lambda code: ledger.balance_as_of(code, "USD", end), 3)
    _compare(report, "statement of 20 entries", lambda code: _short_statement(code, middle[code].recorded_at), 3)
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


def _short_statement(code: str, start: datetime) -> None:
    from multitask import ledger

    drawn = ledger.statement(code, "USD", start, start + timedelta(milliseconds=20))
    assert len(drawn.entries) == 20


def _compare(report: Report, name: str, read: Callable[[str], object], bound: float) -> None:
    """Query the two accounts in turns."""
    seconds: dict[str, list[float]] = {"bench-short": [], "bench-long": []}
    for number in range(WARM_UP + PAIRS):
        for code, durations in seconds.items():
            began = time.perf_counter()
            read(code)
            if number >= WARM_UP:
                durations.append(time.perf_counter() - began)
    for code, durations in seconds.items():
        report.figure(f"{name}: {code.removeprefix('bench-')} account", milliseconds(durations))
    ratio = statistics.median(seconds["bench-long"]) / statistics.median(seconds["bench-short"])
    report.at_most(f"{name}: ratio", ratio, bound)


if __name__ == "__main__":
    raise SystemExit(main())
