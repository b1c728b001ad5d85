"""Releases and withdrawals over the HTTP API compared with a view with one SELECT: same server, in turns."""

import argparse
import itertools
import secrets
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench import client, machine, people, servers
from bench.people import Person
from bench.report import Report
from bench.servers import WEB_THREADS, Servers

WAITING = Path(__file__).with_name("commands.sql")
BOUND = 0.2
RELEASE = "release"
RELEASE_WITH_KEY = "release, with an Idempotency-Key"
WITHDRAWAL = "withdrawal"
WITHDRAWAL_WITH_KEY = "withdrawal, with an Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Pair:
    """A client with the escrows that wait for their release, and their freelancer."""

    client: Person
    freelancer: Person
    escrows: Iterator[int]


def main() -> int:
    """Prepare escrows, measure each command and the view in turns, and check the ledger; 1 if a bound was missed."""
    chosen = _parser().parse_args()
    report = Report(
        "Commands over the HTTP API compared with a view with one SELECT",
        rounds=chosen.rounds,
        commands_per_round=chosen.commands,
        connections=chosen.connections,
        web=f"granian, 1 worker, {WEB_THREADS} threads",
        database="commits wait for the disk",
    )
    with servers.running() as up:
        machine.show(up.here.database_url)
        up.environment["PAYMENT_CALLS_PER_USER"] = "1000000"
        up.start_web()
        pairs = _pairs(up, chosen)
        commands: dict[str, Callable[[Pair], bytes]] = {
            RELEASE: _release,
            RELEASE_WITH_KEY: lambda pair: _release(pair, with_key=True),
            WITHDRAWAL: _withdrawal,
            WITHDRAWAL_WITH_KEY: lambda pair: _withdrawal(pair, with_key=True),
        }
        _compare(up, report, pairs, commands, chosen)
        for name, command in commands.items():
            _growth(up, report, name, [command(pair) for pair in pairs for _ in range(5)])
        up.programs.finish("check_ledger", [*servers.MANAGE, "check_ledger", "--without-provider"], up.environment)
        report.figure("ledger checked afterwards (check_ledger)", "sound")
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench commands", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured")
    parser.add_argument("--commands", type=int, default=96, help="requests per round to each command")
    parser.add_argument("--connections", type=int, default=WEB_THREADS, help="connections that send at once")
    return parser


def _pairs(up: Servers, chosen: argparse.Namespace) -> list[Pair]:
    """Register a client and a freelancer for each connection, with enough escrows for all rounds."""
    web = client.Connection(up.here.web)
    sides = [
        (people.register(web, client=True), people.register(web, freelancer=True)) for _ in range(chosen.connections)
    ]
    web.close()
    escrows = 2 * (chosen.rounds + 1) * -(-chosen.commands // chosen.connections) + 10
    with psycopg.connect(up.here.database_url) as database:
        database.execute(
            "CREATE TEMPORARY TABLE pairs (number serial, client_id bigint, freelancer_id bigint, escrows int) "
            "ON COMMIT DROP"
        )
        for payer, freelancer in sides:
            database.execute("INSERT INTO pairs VALUES (DEFAULT, %s, %s, %s)", [payer.id, freelancer.id, escrows])
        database.execute(WAITING.read_bytes())
    with up.connected() as database:
        database.execute("VACUUM ANALYZE")
        return [Pair(payer, payee, _waiting(database, payer)) for payer, payee in sides]


def _waiting(database: psycopg.Connection[Any], payer: Person) -> Iterator[int]:
    query = "SELECT id FROM payments_escrow WHERE client_id = %s AND state = 'funded' ORDER BY id"
    return iter([number for (number,) in database.execute(query, [payer.id]).fetchall()])


def _release(pair: Pair, *, with_key: bool = False) -> bytes:
    path = f"/payments/escrow/{next(pair.escrows)}/release/"
    return client.request("POST", path, token=pair.client.token, body={}, headers=_key() if with_key else None)


def _withdrawal(pair: Pair, *, with_key: bool = False) -> bytes:
    headers = _key() if with_key else None
    path, body = "/payments/withdrawals/create/", {"amount": "5.00", "currency": "USD"}
    return client.request("POST", path, token=pair.freelancer.token, body=body, headers=headers)


def _key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}


def _compare(
    up: Servers,
    report: Report,
    pairs: list[Pair],
    commands: dict[str, Callable[[Pair], bytes]],
    chosen: argparse.Namespace,
) -> None:
    """Send requests to the view and to each command in turns; the first round warms up."""
    floors: list[float] = []
    rates: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(-1, chosen.rounds):
        before = _load_view(up, pairs, chosen)
        measured = {name: _load(up, pairs, command, chosen) for name, command in commands.items()}
        after = _load_view(up, pairs, chosen)
        if number >= 0:
            floors.append((before + after) / 2)
            for name, rate in measured.items():
                rates[name].append(rate)
    report.figure("view with one SELECT, requests per second", f"{statistics.median(floors):.0f}")
    for name, measured_rates in rates.items():
        report.figure(f"{name}: requests per second", f"{statistics.median(measured_rates):.0f}")
        ratios = [rate / floor for rate, floor in zip(measured_rates, floors, strict=True)]
        report.figure(f"{name}: ratio, lowest and highest round", f"{min(ratios):.3f} to {max(ratios):.3f}")
        report.at_least(f"{name}: ratio (median of rounds)", statistics.median(ratios), BOUND)


def _load_view(up: Servers, pairs: list[Pair], chosen: argparse.Namespace) -> float:
    each = itertools.islice(itertools.cycle(pairs), 4 * chosen.commands)
    messages = [client.request("GET", f"/bench/select/?user={pair.client.id}") for pair in each]
    return _all_done(client.load(up.here.web, messages, connections=chosen.connections), 200)


def _load(up: Servers, pairs: list[Pair], command: Callable[[Pair], bytes], chosen: argparse.Namespace) -> float:
    """Return the commands per second; each connection sends those of one pair, so that pairs run concurrently."""
    with up.connected() as database:
        database.execute("DELETE FROM payments_providercall")
    messages = [command(pair) for pair in itertools.islice(itertools.cycle(pairs), chosen.commands)]
    return _all_done(client.load(up.here.web, messages, connections=chosen.connections), 200, 201)


def _all_done(load: client.Load, *expected: int) -> float:
    if not set(load.statuses) <= set(expected):
        raise client.BadAnswer(f"not everything was done: {dict(load.statuses)}")
    return load.per_second


def _growth(up: Servers, report: Report, name: str, messages: list[bytes]) -> None:
    """Report the size of what one command writes to the log, without its jobs: no worker runs."""
    web = client.Connection(up.here.web)
    with up.connected() as database:
        before = _wal(database)
        for message in messages:
            web.send(message).expect(200, 201)
        written = (_wal(database) - before) / len(messages)
    web.close()
    report.figure(f"{name}: kilobytes of WAL", f"{written / 1000:.1f}")


def _wal(database: psycopg.Connection[Any]) -> int:
    """Return the bytes of WAL so far; no checkpoint makes the server write whole pages during the measurement."""
    ((position,),) = database.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchall()
    return int(position)


if __name__ == "__main__":
    raise SystemExit(main())
