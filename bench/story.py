"""One whole story through the HTTP API: a task is agreed on, paid, done, released, and its share withdrawn."""

import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

import psycopg

from bench import people
from bench.client import BadAnswer, Connection, request
from bench.people import Person
from bench.servers import Servers
from stack.caller import Form

WAIT_SECONDS = 60
PAUSE_SECONDS = 0.02
# Funds settle and payouts arrive after this time, so that both are found by webhooks, as with the real provider.
SETTLE_SECONDS = 1
_FUNDED = "SELECT 1 FROM payments_escrow WHERE public_id = %s AND state = 'funded'"
_AVAILABLE = "SELECT 1 FROM payments_escrow WHERE public_id = %s AND made_available_at IS NOT NULL"
_PAID = "SELECT 1 FROM payments_withdrawal WHERE public_id = %s AND state = 'completed'"
# Without periodic jobs, whose queueing lock is their name.
_QUEUED = """
SELECT count(*) FROM procrastinate_jobs
 WHERE status IN ('todo', 'doing') AND queueing_lock IS DISTINCT FROM task_name
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """A client and a freelancer with a payout account; they tell their stories one after the other."""

    client: Person
    freelancer: Person


def start(up: Servers) -> None:
    """Start the sandbox, the web server and the worker."""
    up.start_sandbox("--settle-after", str(SETTLE_SECONDS), "--payout-after", str(SETTLE_SECONDS), delivers=True)
    up.start_web()
    up.start_worker()


def pairs(up: Servers, number: int) -> list[Pair]:
    """Register people, and let the freelancers open their payout accounts."""
    web = Connection(up.here.web)
    made = [
        Pair(people.register(web, client=True), people.register(web, freelancer=True, country="US"))
        for _ in range(number)
    ]
    for pair in made:
        _open_account(up, web, pair.freelancer)
    web.close()
    with up.connected() as database:
        # Otherwise each email is counted: an address that nobody has confirmed gets only a few.
        database.execute("UPDATE users_user SET email_confirmed_at = now()")
    return made


def _open_account(up: Servers, web: Connection, freelancer: Person) -> None:
    """Open a payout account, send the provider's form with its example values, and wait until it is known."""
    token = freelancer.token
    web.call("POST", "/payments/connect/create/", token=token, body={}).expect(200, 201)
    link = web.call("POST", "/payments/connect/onboarding/", token=token, body={}).expect(200, 201).json()
    with urllib.request.urlopen(link["url"], timeout=30) as page:
        fields = Form(page.read().decode()).fields
    # The page leads back to ours, which needs no visit.
    provider, path = Connection(link["url"]), link["url"].removeprefix(up.here.sandbox)
    body = urllib.parse.urlencode(fields).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    provider.send(request("POST", path, body=body, headers=headers)).expect(302, 303)
    provider.close()
    deadline = time.monotonic() + WAIT_SECONDS
    while not web.call("GET", "/payments/connect/status/", token=token).expect(200).json()["payouts_enabled"]:
        _require_time(deadline, "payouts enabled")


def tell(up: Servers, of: list[Pair], stories: int) -> float:
    """Let every pair tell so many stories, all pairs at once; return the seconds until the queue is empty again."""
    failures: list[Exception] = []

    def work(pair: Pair) -> None:
        web = Connection(up.here.web)
        try:
            with up.connected() as database:
                for _ in range(stories):
                    _tell(up, web, database, pair)
        except Exception as error:
            failures.append(error)
        finally:
            web.close()

    threads = [threading.Thread(target=work, args=(pair,)) for pair in of]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    seconds = time.perf_counter() - began
    _await_quiet(up)
    return seconds


def _tell(up: Servers, web: Connection, database: psycopg.Connection[Any], pair: Pair) -> None:
    client, freelancer = pair.client.token, pair.freelancer.token
    application = people.agree(web, pair.client, pair.freelancer)
    body: dict[str, Any] = {"application_id": application["id"]}
    intent = web.call("POST", "/payments/intents/create/", token=client, body=body).expect(201).json()
    payment, escrow = intent["payment_intent_id"], intent["escrow_id"]
    up.ask_sandbox("POST", f"/v1/payment_intents/{payment}/confirm?payment_method=pm_card_visa")
    _await(database, _FUNDED, escrow)
    task = application["task"]
    task_id = task["id"] if isinstance(task, dict) else task
    web.call("POST", f"/api/tasks/{task_id}/deliver/", token=freelancer, body={}).expect(200)
    web.call("POST", f"/api/tasks/{task_id}/complete/", token=client, body={}).expect(200)
    web.call("POST", f"/payments/escrow/{escrow}/release/", token=client, body={}).expect(200)
    _await(database, _AVAILABLE, escrow)
    body = {"amount": "85.00", "currency": "USD"}
    made = web.call("POST", "/payments/withdrawals/create/", token=freelancer, body=body).expect(200, 201).json()
    _await(database, _PAID, made["withdrawal"]["withdrawal_id"])


def _await(database: psycopg.Connection[Any], query: str, value: str) -> None:
    """Wait in the database: how often people look is not what is measured."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not database.execute(query.encode(), [value]).fetchall():
        _require_time(deadline, query)


def _await_quiet(up: Servers) -> None:
    """Wait until no job of a story waits or runs, for the processor time that belongs to the stories."""
    deadline = time.monotonic() + WAIT_SECONDS
    with up.connected() as database:
        while database.execute(_QUEUED).fetchall() != [(0,)]:
            _require_time(deadline, "an empty queue")


def _require_time(deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise BadAnswer(f"{what!r} did not come about in {WAIT_SECONDS} s")
    time.sleep(PAUSE_SECONDS)
