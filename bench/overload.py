"""/healthz, a wallet and the webhook under four kinds of overload, each compared with the calm before it."""

import argparse
import contextlib
import itertools
import json
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from bench import events, machine, people
from bench.client import Connection, request
from bench.people import Person
from bench.report import Report
from bench.servers import WEB_THREADS, Servers, running
from bench.worker import DEFER_EVENTS

BOUND: Final = 10
FUNDED_SECONDS: Final = 10
PROVIDER_SECONDS: Final = 12
CLIENTS: Final = 50
HALF_SENT: Final = request("POST", "/api/auth/login/", body=b"x" * 500)[:-499]
NEVER_READ: Final = request("GET", "/openapi.json") * 4
LEFT: Final = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND status IN ('todo', 'doing')"


@dataclass(frozen=True, slots=True)
class Scene:
    """What the requests need: a person with a wallet, payments for events, and tasks that can be paid."""

    person: Person
    payments: list[dict[str, Any]]
    agreed: list[tuple[Person, int]]


@dataclass(slots=True)
class Series:
    """The durations and the refusals of one kind of request."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def p99(self) -> float:
        """The 99th percentile in milliseconds."""
        return statistics.quantiles(self.seconds, n=100)[-1] * 1000


def main() -> int:
    """Compare each overload with the calm before it; return 1 if a bound was missed."""
    chosen = _parser().parse_args()
    report = Report(
        "Overload: answers per second and p99 against calm",
        seconds_of_each=chosen.seconds,
        connections="one of each kind at the same time",
        web=f"granian, 1 worker, {WEB_THREADS} threads",
    )
    with running() as up:
        machine.show(up.here.database_url)
        up.start_sandbox()
        up.start_web()
        up.start_worker()
        scene = _set_scene(up)
        _probe(up, scene, 2)  # warms up
        situations: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
            "half-sent bodies, slow readers": lambda: _bad_connections(up, chosen.connections),
            "slow provider": lambda: _slow_provider(up, scene, report, chosen.intents),
            "backlog of webhooks": lambda: _backlog(up, scene, report, chosen.events),
            "after a clock step": lambda: _clock_step(up, report, chosen.step_hours),
        }
        for name, situation in situations.items():
            calm = _probe(up, scene, chosen.seconds)
            with situation():
                busy = _probe(up, scene, chosen.seconds)
            _compare(report, name, calm, busy)
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--connections", type=int, default=500, help="with half a body, and a tenth of that unread")
    parser.add_argument("--intents", type=int, default=500, help="at the same time, while each call takes 12 s")
    parser.add_argument("--events", type=int, default=30_000, help="queued webhooks; 100000 is asked for too")
    parser.add_argument("--step-hours", type=float, default=21, help="by which the worker's clock jumps")
    return parser


def _set_scene(up: Servers) -> Scene:
    web = Connection(up.here.web)
    person, freelancer = people.register(web, client=True), people.register(web, freelancer=True)
    agreed = []
    for _ in range(CLIENTS):
        payer = people.register(web, client=True)
        agreed.append((payer, int(people.agree(web, payer, freelancer)["id"])))
    web.close()
    return Scene(person, events.payments(up, 20), agreed)


def _probe(up: Servers, scene: Scene, seconds: float) -> dict[str, Series]:
    """Send requests of all kinds in parallel, those of one kind one after the other."""
    numbers = itertools.count()
    kinds: dict[str, Callable[[], bytes]] = {
        "healthz": lambda: request("GET", "/healthz"),
        "wallet": lambda: request("GET", "/payments/wallet/", token=scene.person.token),
        "webhook": lambda: events.delivery(up, events.make(scene.payments[next(numbers) % len(scene.payments)])[1]),
    }
    found = {name: Series() for name in kinds}

    def ask(name: str) -> None:
        web, ends = Connection(up.here.web), time.perf_counter() + seconds
        while (began := time.perf_counter()) < ends:
            message = kinds[name]()
            began = time.perf_counter()
            found[name].statuses[web.send(message).status] += 1
            found[name].seconds.append(time.perf_counter() - began)
        web.close()

    threads = [threading.Thread(target=ask, args=(name,)) for name in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _compare(report: Report, name: str, calm: dict[str, Series], busy: dict[str, Series]) -> None:
    for kind, before in calm.items():
        now = busy[kind]
        rate = len(now.seconds) / len(before.seconds)
        report.figure(
            f"{name}: {kind}",
            f"p99 {now.p99:.1f} ms (calm {before.p99:.1f}), {len(now.seconds)} answers (calm {len(before.seconds)}, "
            f"ratio {rate:.2f})",
        )
        refused = sum(number for status, number in now.statuses.items() if status >= 400)
        report.at_most(f"{name}: {kind}, not answered well", refused, 0)
        report.at_most(f"{name}: {kind}, p99 against calm", now.p99 / before.p99, BOUND)


@contextmanager
def _bad_connections(up: Servers, number: int) -> Iterator[None]:
    """Keep `number` connections open that have sent half a body, and a tenth as many that do not read."""
    ends = threading.Event()
    parts = urlsplit(up.here.web)

    def connect(sent: bytes) -> socket.socket:
        made = socket.create_connection((parts.hostname, parts.port), 30)
        made.sendall(sent)
        return made

    held = [connect(HALF_SENT) for _ in range(number)]
    unread = [connect(NEVER_READ) for _ in range(number // 10)]

    def renew() -> None:
        """Reopen each connection that got a response."""
        while not ends.wait(0.1):
            for place, each in enumerate(held):
                each.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    each.recv(1)
                    each.close()
                    held[place] = connect(HALF_SENT)

    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        yield
    finally:
        ends.set()
        renewing.join()
        for each in (*held, *unread):
            each.close()


@contextmanager
def _slow_provider(up: Servers, scene: Scene, report: Report, number: int) -> Iterator[None]:
    """Create `number` payments in parallel while each call to the provider takes 12 seconds."""
    fault = {"kind": "delay", "path": "/v1/*", "seconds": PROVIDER_SECONDS}
    up.ask_sandbox("POST", "/_sandbox/faults", fault)
    statuses: Counter[int] = Counter()

    def ask(place: int) -> None:
        payer, application = scene.agreed[place % len(scene.agreed)]
        body = {"application_id": application}
        web = Connection(up.here.web, seconds=180)
        statuses[web.call("POST", "/payments/intents/create/", token=payer.token, body=body).status] += 1
        web.close()

    asking = [threading.Thread(target=ask, args=(place,)) for place in range(number)]
    for thread in asking:
        thread.start()
    try:
        yield
    finally:
        up.ask_sandbox("DELETE", "/_sandbox/faults")
        for thread in asking:
            thread.join()
    answers = ", ".join(f"{status}: {times}" for status, times in sorted(statuses.items()))
    report.figure(f"slow provider: {number} intents of {len(scene.agreed)} clients", answers)


@contextmanager
def _backlog(up: Servers, scene: Scene, report: Report, number: int) -> Iterator[None]:
    """Queue `number` events about existing payments; pay another payment and measure when it is funded."""
    payload = json.dumps({"object": "event"})
    with up.connected() as database:
        for payment in scene.payments:
            database.execute(DEFER_EVENTS, [payment["id"], payload, number // len(scene.payments)])
    yield
    seconds = _fund(up)
    with up.connected() as database:
        ((left,),) = database.execute(LEFT, ["process_webhook"]).fetchall()
    report.figure("backlog of webhooks: left of it then", str(left))
    report.at_most("backlog of webhooks: a fresh payment is funded", seconds, FUNDED_SECONDS, " s")
    up.stop("worker")
    with up.connected() as database:
        database.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'process_webhook' AND status = 'todo'")
        database.execute("UPDATE webhooks_incomingevent SET state = 'ignored' WHERE state = 'received'")
    up.start_worker()


def _fund(up: Servers) -> float:
    """Pay a new payment and deliver its event; return the seconds until its escrow is funded, at most 60."""
    web = Connection(up.here.web)
    payer, freelancer = people.register(web, client=True), people.register(web, freelancer=True)
    intent = people.intend(web, payer, freelancer)
    payment = str(intent["payment_intent_id"])
    up.ask_sandbox("POST", f"/v1/payment_intents/{payment}/confirm?payment_method=pm_card_visa")
    web.send(events.delivery(up, events.make(events.at_provider(up, payment))[1])).expect(200)
    began = time.perf_counter()
    path = f"/payments/escrow/{intent['escrow_id']}/"
    while (seconds := time.perf_counter() - began) < 60:
        if web.call("GET", path, token=payer.token).expect(200).json()["status"] == "funded":
            break
        time.sleep(0.1)
    web.close()
    return seconds


@contextmanager
def _clock_step(up: Servers, report: Report, hours: float) -> Iterator[None]:
    """Set the worker's clock forward, so that every periodic job has missed many ticks."""
    count = "SELECT count(*) FROM procrastinate_jobs"
    with up.connected() as database:
        ((before,),) = database.execute(count).fetchall()
    up.step_clock(hours * 3_600)
    yield
    with up.connected() as database:
        ((after,),) = database.execute(count).fetchall()
    report.figure("after a clock step: jobs deferred in the meantime", str(after - before))


if __name__ == "__main__":
    raise SystemExit(main())
