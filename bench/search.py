"""The three searches among a thousand rows and among a million: tasks, one person's transactions, the back office."""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench import machine, servers
from bench.report import Report, milliseconds
from bench.servers import Servers

ROWS = Path(__file__).with_name("search.sql")
BOUND = 1.5
# A page of 20 rows with such a word is one row among a thousand, and the newest of a thousand among a million.
BOUND_BETWEEN = 10
WARM_UP = 5
# Words of all rows, of every thousandth, of ten rows however many there are, and of none.
WORDS = {
    "a word of every row": "every",
    "the same in Arabic": "الكل",
    "a word of ten rows": "ten",
    "the same in Arabic, folded": "عَشره",
    "a word of every thousandth row": "rare",
    "a word of no row": "nowhere",
    "words of every and of no row": "every nowhere",
}
SEARCHES = ("tasks", "transactions", "totals of transactions", "back office")
FIRST = 1_000_000_000


def main() -> int:
    """Load the rows, search for each word in turns, and compare; return 1 if a bound was missed."""
    if sys.argv[1:] == ["--answer"]:
        return _answer()
    chosen = _parser().parse_args()
    report = Report(
        "Searches", rows=f"{chosen.small} and {chosen.large}", rounds=chosen.rounds, searches=chosen.searches
    )
    with ExitStack() as held:
        both = {rows: held.enter_context(servers.running()) for rows in (chosen.small, chosen.large)}
        machine.show(both[chosen.large].here.database_url)
        for rows, up in both.items():
            began = time.perf_counter()
            _load(up, rows)
            report.figure(f"loading {rows} rows of each table", f"{time.perf_counter() - began:.0f} s")
        searchers = [held.enter_context(_Searcher(up)) for up in both.values()]
        for name in SEARCHES:
            for kind in WORDS:
                _compare(report, name, kind, searchers, chosen.rounds, chosen.searches)
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench search", description=__doc__)
    parser.add_argument("--small", type=int, default=1_000, help="rows of each table in one database")
    parser.add_argument("--large", type=int, default=1_000_000, help="rows of each table in the other")
    parser.add_argument("--rounds", type=int, default=5, help="the ratio is the median of so many rounds")
    parser.add_argument("--searches", type=int, default=20, help="searches of each kind in each database per round")
    return parser


def _load(up: Servers, rows: int) -> None:
    with up.connected() as database:
        with database.transaction():
            database.execute(ROWS.read_text().format(rows=rows, first=FIRST).encode())
        database.execute("VACUUM ANALYZE")


class _Searcher:
    """A process that searches in one of the databases, and says how long each search took."""

    def __init__(self, up: Servers) -> None:
        command = [sys.executable, "-m", "bench.search", "--answer"]
        environment = {**os.environ, **up.environment, "LOG_LEVEL": "WARNING"}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> "_Searcher":
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate(timeout=30)

    def seconds(self, name: str, kind: str) -> float:
        """Search once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name}\t{kind}\n")
        return float(self._process.stdout.readline())


def _answer() -> int:
    """Search for what comes in, line by line, and print the seconds that it took."""
    import django

    django.setup()
    searches = _searches()
    for line in sys.stdin:
        name, _, kind = line.rstrip("\n").partition("\t")
        began = time.perf_counter()
        searches[name](WORDS[kind])
        print(time.perf_counter() - began, flush=True)
    from django.db import connection

    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    return 0


def _searches() -> dict[str, Callable[[str], object]]:
    from multitask.marketplace import listing
    from multitask.payments.reads import history_pages
    from multitask.payments.reads.history_pages import Cursor
    from multitask.payments.reads.wallet import Filter
    from multitask.users.actor import Actor, Role
    from multitask.web.backoffice.search import lookup

    actor = Actor(user_id=FIRST, role=Role.CLIENT)
    found: tuple[Callable[[str], object], ...] = (
        lambda words: list(listing.tasks(actor, search=words)[:20]),
        lambda words: history_pages.page(FIRST, Filter(search=words), Cursor()),
        lambda words: history_pages.totals(FIRST, Filter(search=words)),
        lookup.find,
    )
    return dict(zip(SEARCHES, found, strict=True))


def _compare(report: Report, name: str, kind: str, searchers: list[_Searcher], rounds: int, searches: int) -> None:
    """Search in both databases in turns; the ratio is that of the medians of a round."""
    ratios: list[float] = []
    all_seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        seconds: tuple[list[float], list[float]] = ([], [])
        for number in range(WARM_UP + searches):
            for searcher, durations in zip(searchers, seconds, strict=True):
                took = searcher.seconds(name, kind)
                if number >= WARM_UP:
                    durations.append(took)
        ratios.append(statistics.median(seconds[1]) / statistics.median(seconds[0]))
        for durations, of_all in zip(seconds, all_seconds, strict=True):
            of_all.extend(durations)
    report.figure(f"{name}, {kind}: fewer rows", milliseconds(all_seconds[0]))
    report.figure(f"{name}, {kind}: more rows", milliseconds(all_seconds[1]))
    bound = BOUND_BETWEEN if kind == "a word of every thousandth row" else BOUND
    report.at_most(f"{name}, {kind}: ratio", statistics.median(ratios), bound)


if __name__ == "__main__":
    raise SystemExit(main())
