"""Wallet and history of a person with a thousand rows and of one with a million: over the API, and as pages."""

import argparse
import os
import statistics
import time
from pathlib import Path

import psycopg

from bench import client, machine, people, servers
from bench.people import Person
from bench.report import Report, milliseconds
from bench.servers import Servers

PAST = Path(__file__).with_name("long_history.sql")
BOUND = 1.5
HISTORY = "/payments/wallet/transactions/"
# Filters that match the newest rows, and filters that only match very old rows.
PAGES = {
    "wallet": "/payments/wallet/",
    "history, first page": HISTORY,
    "history, type": f"{HISTORY}?type=escrow_release",
    "history, status": f"{HISTORY}?status=completed",
    "history, currency": f"{HISTORY}?currency=USD",
    "history, type and status and currency": f"{HISTORY}?type=platform_fee&status=completed&currency=USD",
    "history, rare type": f"{HISTORY}?type=withdrawal",
    "history, rare status": f"{HISTORY}?status=failed",
    "history, rare currency": f"{HISTORY}?currency=EUR",
    "history, frequent type and rare status": f"{HISTORY}?type=platform_fee&status=cancelled",
    "history, frequent type and status, rare currency": f"{HISTORY}?type=escrow_release&status=completed&currency=EUR",
}
# Pages, opened with a session.
SEEN = {
    "page: wallet": "/wallet/",
    "page: transactions": "/transactions/",
    "page: transactions, type": "/transactions/?type=escrow_release",
    "page: transactions, rare status": "/transactions/?status=failed",
    "page: withdrawals": "/wallet/withdrawals/",
    "page: home": "/",
}
WARM_UP = 10


def main() -> int:
    """Load both histories, request each page in turns, and compare; return 1 if a bound was missed."""
    chosen = _parser().parse_args()
    report = Report(
        "Wallet and history over the HTTP API and as pages",
        rows_of_one_user=f"{chosen.small} and {chosen.large}",
        pairs_per_page=chosen.pairs,
        web="granian, 1 worker",
    )
    with servers.running() as up:
        machine.show(up.here.database_url)
        up.start_web()
        small, large = _people(up, chosen.small, chosen.large, report)
        for name, path in PAGES.items():
            messages = [client.request("GET", path, token=person.token) for person in (small, large)]
            _compare(up, report, name, messages, chosen.pairs)
        _use_django(up)
        sessions = [_session(person) for person in (small, large)]
        for name, path in SEEN.items():
            messages = [client.request("GET", path, headers={"Cookie": session}) for session in sessions]
            _compare(up, report, name, messages, chosen.pairs)
        _count_statements(report, large)
        if chosen.prove:
            _prove(up, report)
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench wallet", description=__doc__)
    parser.add_argument("--small", type=int, default=1_000, help="rows of history, and entries, of one user")
    parser.add_argument("--large", type=int, default=1_000_000, help="rows of history, and entries, of the other")
    parser.add_argument("--pairs", type=int, default=40, help="requests of each user per page")
    parser.add_argument("--prove", action="store_true", help="check the ledger afterwards, which takes a minute")
    return parser


def _people(up: Servers, small: int, large: int, report: Report) -> tuple[Person, Person]:
    web = client.Connection(up.here.web)
    payer = people.register(web, client=True)
    freelancers = [people.register(web, freelancer=True) for _ in range(2)]
    web.close()
    began = time.perf_counter()
    for freelancer, rows in zip(freelancers, (small, large), strict=True):
        _give_past(up, payer, freelancer, rows)
    with up.connected() as database:
        database.execute("VACUUM ANALYZE")
    report.figure("loading both histories", f"{time.perf_counter() - began:.0f} s")
    return freelancers[0], freelancers[1]


def _give_past(up: Servers, payer: Person, freelancer: Person, rows: int) -> None:
    with psycopg.connect(up.here.database_url) as database:
        database.execute(
            "CREATE TEMPORARY TABLE past ON COMMIT DROP AS "
            "SELECT %s::bigint AS client_id, %s::bigint AS freelancer_id, %s::int AS escrows",
            [payer.id, freelancer.id, rows // 2],
        )
        database.execute(PAST.read_bytes())


def _use_django(up: Servers) -> None:
    """Configure Django in this process with the servers' database."""
    os.environ.update(up.environment, LOG_LEVEL="WARNING")
    import django

    django.setup()


def _session(person: Person) -> str:
    """Return the session cookie of a person who has signed in on the pages."""
    from django.conf import settings
    from django.test import Client

    from multitask.users.models import User

    browser = Client()
    backend = "multitask.users.backends.UsernameOrEmailBackend"
    browser.force_login(User.objects.get(pk=person.id), backend=backend)
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


def _compare(up: Servers, report: Report, name: str, messages: list[bytes], pairs: int) -> None:
    """Request one page for the person with fewer rows and for the one with more, in turns."""
    web = client.Connection(up.here.web)
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + pairs):
        for message, durations in zip(messages, seconds, strict=True):
            began = time.perf_counter()
            web.send(message).expect(200)
            if number >= WARM_UP:
                durations.append(time.perf_counter() - began)
    web.close()
    report.figure(f"{name}: fewer rows", milliseconds(seconds[0]))
    report.figure(f"{name}: more rows", milliseconds(seconds[1]))
    ratio = statistics.median(seconds[1]) / statistics.median(seconds[0])
    report.at_most(f"{name}: ratio", ratio, BOUND)


def _count_statements(report: Report, person: Person) -> None:
    """Render the same pages in this process, to count their SQL statements."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    web = Client(headers={"Authorization": f"Bearer {person.token}"})
    for name in ("wallet", "history, first page", "history, type and status and currency"):
        with CaptureQueriesContext(connection) as queries:
            answer = web.get(PAGES[name])
        assert answer.status_code == 200, answer.content
        report.figure(f"{name}: SQL statements", str(len(queries)))
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]


def _prove(up: Servers, report: Report) -> None:
    """Check the ledger, since the figures mean nothing if the loaded data is invalid."""
    began = time.perf_counter()
    up.programs.finish("check_ledger", [*servers.MANAGE, "check_ledger", "--without-provider"], up.environment)
    report.figure("ledger checked after loading (check_ledger)", f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    raise SystemExit(main())
