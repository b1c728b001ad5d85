"""The reads of the API against a view with one SELECT that the same process serves, in turns.

Wallet, first and later pages of history at a thousand and at a million rows, one escrow of a payee with few and of
one with many; then the wallet of a client and of a freelancer with ten thousand open escrows, and of a client with
tens of thousands, against that of a person without any.
"""

import argparse
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench import client, machine, people, servers
from bench.people import Person
from bench.report import Report
from bench.servers import Servers

PAST, OPEN = (Path(__file__).with_name(name) for name in ("long_history.sql", "open_escrows.sql"))
HISTORY = "/payments/wallet/transactions/"
FLOOR = "one SELECT"
SHORT = "one SELECT, without the middleware of pages"
# At least this many answers for each of the view with one SELECT.
BOUNDS = {
    "wallet": 0.50,
    "history, few rows, first page": 0.40,
    "history, few rows, later page": 0.40,
    "history, many rows, first page": 0.40,
    "history, many rows, later page": 0.40,
    "escrow": 0.45,
    "escrow of a payee with many": 0.40,
}
OPEN_BOUND = 1.2
NONE = "wallet without open escrows"


@dataclass(frozen=True, slots=True)
class People:
    """The callers: one with a short and one with a long history, the client of both, and those with open escrows."""

    small: Person
    large: Person
    payer: Person
    buyer: Person
    seller: Person
    nobody: Person


def main() -> int:
    """Load the data, request everything in turns, and compare; return 1 if a bound was missed."""
    chosen = _parser().parse_args()
    report = Report(
        "Reads of the API against a view with one SELECT",
        rows_of_history=f"{chosen.small} and {chosen.large}",
        open_escrows=f"{chosen.open} and {3 * chosen.open}",
        rounds=f"{chosen.rounds} of {chosen.requests} requests over {chosen.connections} connections",
        web="granian, 1 worker",
    )
    with servers.running() as up:
        machine.show(up.here.database_url)
        up.start_web()
        who = _load(up, chosen, report)
        reads = _reads(up, who)
        found = _rates(up, reads, chosen)
        for name, rates in found.items():
            report.figure(name, f"{statistics.median(rates):.0f} a second")
        for name, bound in BOUNDS.items():
            report.at_least(f"{name} / {FLOOR}", _ratio(found[name], found[FLOOR]), bound)
        for name in BOUNDS:
            report.figure(f"{name} / {SHORT}", f"{_ratio(found[name], found[SHORT]):.2f}")
        for name in (name for name in found if name.startswith("wallet of")):
            report.at_most(f"{name}: time / without any", _ratio(found[NONE], found[name]), OPEN_BOUND)
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench reads", description=__doc__)
    parser.add_argument("--small", type=int, default=1_000, help="rows of the short history")
    parser.add_argument("--large", type=int, default=1_000_000, help="rows of the long history")
    parser.add_argument("--open", type=int, default=10_000, help="open escrows of a client and of a freelancer")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=300, help="requests of each kind in a round")
    parser.add_argument("--connections", type=int, default=4)
    return parser


def _load(up: Servers, chosen: argparse.Namespace, report: Report) -> People:
    web = client.Connection(up.here.web)
    payer, buyer, nobody = (people.register(web, client=True) for _ in range(3))
    small, large, seller = (people.register(web, freelancer=True) for _ in range(3))
    web.close()
    began = time.perf_counter()
    for freelancer, rows in ((small, chosen.small), (large, chosen.large)):
        _run(up, PAST, "past", payer, freelancer, rows // 2)
    _run(up, OPEN, "wanted", buyer, seller, chosen.open)
    _run(up, OPEN, "wanted", payer, small, 5)
    _run(up, OPEN, "wanted", payer, seller, 3 * chosen.open)
    with up.connected() as database:
        database.execute("VACUUM ANALYZE")
    report.figure("loading", f"{time.perf_counter() - began:.0f} s")
    return People(small, large, payer, buyer, seller, nobody)


def _run(up: Servers, script: Path, table: str, payer: Person, freelancer: Person, escrows: int) -> None:
    with psycopg.connect(up.here.database_url) as database:
        database.execute(
            f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS "
            f"SELECT {payer.id:d}::bigint AS client_id, {freelancer.id:d}::bigint AS freelancer_id, "
            f"{escrows:d} AS escrows"
        )
        database.execute(script.read_bytes())


def _reads(up: Servers, who: People) -> dict[str, bytes]:
    """Return the requests by name; a later page is the fifth, or the middle one of a shorter history."""

    def get(path: str, person: Person) -> bytes:
        return client.request("GET", path, token=person.token)

    with up.connected() as database:
        ((small, large, escrow, of_many),) = database.execute(
            "SELECT (SELECT count(*) FROM payments_historyrow WHERE user_id = %(small)s) / 40,"
            " (SELECT count(*) FROM payments_historyrow WHERE user_id = %(large)s) / 40,"
            " (SELECT max(id) FROM payments_escrow WHERE freelancer_id = %(small)s AND state = 'released'),"
            " (SELECT max(id) FROM payments_escrow WHERE freelancer_id = %(large)s AND made_available_at IS NOT NULL)",
            {"small": who.small.id, "large": who.large.id},
        ).fetchall()
    return {
        FLOOR: get(f"/bench/select/?user={who.small.id}", who.small),
        SHORT: get(f"/api/bench/select/?user={who.small.id}", who.small),
        "wallet": get("/payments/wallet/", who.small),
        "history, few rows, first page": get(HISTORY, who.small),
        "history, few rows, later page": get(f"{HISTORY}?page={min(small, 5)}", who.small),
        "history, many rows, first page": get(HISTORY, who.large),
        "history, many rows, later page": get(f"{HISTORY}?page={min(large, 5)}", who.large),
        "escrow": get(f"/payments/escrow/{escrow}/", who.small),
        "escrow of a payee with many": get(f"/payments/escrow/{of_many}/", who.large),
        NONE: get("/payments/wallet/", who.nobody),
        "wallet of a client with open escrows": get("/payments/wallet/", who.buyer),
        "wallet of a freelancer with open escrows": get("/payments/wallet/", who.seller),
        "wallet of a client with three times as many": get("/payments/wallet/", who.payer),
    }


def _rates(up: Servers, reads: Mapping[str, bytes], chosen: argparse.Namespace) -> dict[str, list[float]]:
    """Return the answers per second of each read, round by round; the first round warms up and does not count."""
    rates: dict[str, list[float]] = {name: [] for name in reads}
    for number in range(chosen.rounds + 1):
        for name, message in reads.items():
            count = chosen.requests if number else chosen.connections * 10
            done = client.load(up.here.web, [message] * count, connections=chosen.connections)
            if set(done.statuses) != {200}:
                raise client.BadAnswer(f"{name}: {dict(done.statuses)}")
            if number:
                rates[name].append(done.per_second)
    return rates


def _ratio(rates: list[float], others: list[float]) -> float:
    """Return the median of the ratios of the rounds."""
    return statistics.median(rate / other for rate, other in zip(rates, others, strict=True))


if __name__ == "__main__":
    raise SystemExit(main())
