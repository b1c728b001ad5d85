"""The web server's resident memory after ten thousand requests of all kinds."""

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from bench import client, events, machine, people
from bench.client import Connection, request
from bench.people import PASSWORD, Person
from bench.report import Report
from bench.servers import WEB_THREADS, Servers, megabytes, running

BOUND: Final = 200
STAGES: Final = 5
# Frequent reads, with a token unless noted otherwise.
READ: Final = (
    "/payments/wallet/",
    "/payments/wallet/transactions/",
    "/payments/wallet/transactions/?type=escrow_deposit&status=pending&currency=USD",
    "/payments/wallet/transactions/?search=logo&from=2026-01-01",
    "/payments/escrow/",
    "/payments/withdrawals/",
    "/payments/payment-methods/",
    "/payments/connect/status/",
    "/payments/disputes/",
    "/payments/refunds/",
    "/api/payments/wallet/",
    "/api/auth/profile/",
    "/api/tasks/",
    "/api/tasks/?search=logo",
    "/api/tasks/my-tasks/",
    "/api/tasks/my-applications/",
)
PUBLIC: Final = (
    "/",
    "/openapi.json",
    "/docs/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/no/such/page/",
    "/payments/wallet/",
)

Kind = Callable[[int], bytes]


def main() -> int:
    """Send requests of every kind in turns, and measure the server's memory at intervals; 1 if a bound was missed."""
    chosen = _parser().parse_args()
    report = Report(
        "Web server's memory",
        requests=chosen.requests,
        connections=chosen.connections,
        web=f"granian, 1 worker, {WEB_THREADS} threads",
    )
    with running() as up:
        machine.show(up.here.database_url)
        up.start_sandbox()
        up.start_web()
        report.figure("resident before (server + worker process)", megabytes(up.memory("web")))
        _send_all(up, report, chosen.requests, chosen.connections)
        family = up.memory("web")
        report.figure("resident at its highest", f"{sum(each.peak for each in family.values()) / 1e6:.0f} MB")
        total = sum(each.now for each in family.values()) / 1e6
        report.at_most(f"resident after {chosen.requests} requests, both processes", total, BOUND, " MB")
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench web_memory", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=WEB_THREADS, help="connections that send at once")
    return parser


def _send_all(up: Servers, report: Report, number: int, connections: int) -> None:
    statuses: Counter[int] = Counter()
    began = time.perf_counter()
    messages = _messages(up)
    for stage in range(1, STAGES + 1):
        part = number * stage // STAGES - number * (stage - 1) // STAGES
        batch = list(itertools.islice(messages, part))
        statuses += client.load(up.here.web, batch, connections=connections).statuses
        report.figure(f"resident after {number * stage // STAGES}", megabytes(up.memory("web")))
    report.figure("requests per second, all kinds", f"{number / (time.perf_counter() - began):.0f}")
    report.figure("responses by status", ", ".join(f"{status}: {times}" for status, times in sorted(statuses.items())))
    report.at_most("server errors (5xx)", sum(n for status, n in statuses.items() if status >= 500), 0)


def _messages(up: Servers) -> Iterator[bytes]:
    """Yield requests forever, every kind in turn."""
    web = Connection(up.here.web)
    payer, worker = people.register(web, client=True), people.register(web, freelancer=True)
    agreed = [people.agree(web, payer, worker) for _ in range(20)]
    body = {"application_id": agreed[0]["id"]}
    intent = web.call("POST", "/payments/intents/create/", token=payer.token, body=body).expect(201).json()
    web.close()
    payment = events.at_provider(up, intent["payment_intent_id"])
    kinds = [
        *_reads(payer, worker, agreed[0]["task"], intent["escrow_id"]),
        *_writes(up, payer, worker, agreed, payment),
    ]
    for number in itertools.count():
        yield kinds[number % len(kinds)](number)


def _reads(payer: Person, worker: Person, task_id: int, escrow_id: int) -> list[Kind]:
    own = (*READ, f"/api/tasks/{task_id}/", f"/api/tasks/{task_id}/applications/", f"/payments/escrow/{escrow_id}/")
    messages = [request("GET", path, token=person.token) for path in own for person in (payer, worker)]
    messages += [request("GET", path) for path in PUBLIC]
    return [lambda _, message=message: message for message in messages]  # type: ignore[misc]


def _writes(
    up: Servers, payer: Person, worker: Person, agreed: list[dict[str, Any]], payment: dict[str, Any]
) -> list[Kind]:
    """Return requests that write or are refused; `n` is the number of the request."""
    task = {"title": "Draw a logo", "description": "A round one." * 20, "budget": "100.00"}
    login = {"username_or_email": payer.username, "password": PASSWORD}
    newcomer = {"password": PASSWORD, "is_client": True}
    key = {"Idempotency-Key": "the same every time"}

    def intend(n: int) -> bytes:
        body = {"application_id": agreed[n % len(agreed)]["id"]}
        return request("POST", "/payments/intents/create/", token=payer.token, body=body)

    def register(n: int) -> bytes:
        named = {"username": f"newcomer{n}", "email": f"newcomer{n}@example.com", **newcomer}
        return request("POST", "/api/auth/register/", body=named)

    withdraw = request(
        "POST", "/payments/withdrawals/create/", token=worker.token, body={"amount": "1.00"}, headers=key
    )
    forged = request("POST", events.WEBHOOKS, body=b"{}", headers={"Stripe-Signature": "t=1,v1=00"})
    return [
        intend,
        register,
        lambda _: request("POST", "/api/auth/login/", body=login),
        lambda _: request("POST", "/api/tasks/create/", token=payer.token, body=task),
        lambda _: request("POST", "/api/tasks/create/", token=payer.token, body={**task, "budget": -1}),
        lambda _: request("POST", "/api/tasks/create/", token=payer.token, body=b"{"),
        lambda _: events.delivery(up, events.make(payment)[1]),
        lambda _: events.delivery(up, events.make(payment)[1]),
        lambda _: forged,
        lambda _: withdraw,
        lambda n: request("GET", f"/payments/escrow/{n}/", token=worker.token),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
