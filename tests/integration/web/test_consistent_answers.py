"""All parts of a response show one moment, whatever is committed meanwhile."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction

from multitask.payments.escrow import refund_outcomes
from multitask.payments.provider import RefundState, RefundStatus
from multitask.users.actor import Actor
from tests.acceptance.clients import Caller
from tests.payments_world import Job, World, dollars

pytestmark = pytest.mark.django_db(transaction=True)

As = Callable[[Actor], Caller]


class Meanwhile:
    """Commits a change on another connection just before this connection's first statement about a table."""

    def __init__(self, table: str, happen: Callable[[], object]) -> None:
        self.table, self.happen, self.happened = table, happen, False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if f'FROM "{self.table}"' in sql and not self.happened:
            self.happened = True
            thread = threading.Thread(target=self._run)
            thread.start()
            thread.join()
        return execute(sql, params, many, context)

    def _run(self) -> None:
        try:
            self.happen()
        finally:
            connections.close_all()


def get(caller: Caller, path: str, meanwhile: Meanwhile) -> Any:
    with connection.execute_wrapper(meanwhile):
        answer = caller.get(path)
    assert meanwhile.happened
    assert answer.status == 200, answer.json
    return answer.json


def refunded(world: World) -> Job:
    job = world.funded()
    world.refund(job)
    world.work()
    assert job.escrow.state == "refunded"
    return job


def fail_refund(world: World, job: Job) -> None:
    state = RefundState(
        id=str(job.refund.provider_refund_id),
        payment_id=str(job.payment.provider_payment_id),
        status=RefundStatus.FAILED,
        amount=dollars("100.00"),
        failure_code="expired_or_canceled_card",
    )
    refund_outcomes.confirm("stripe", state, world.now)


def halfway(caller: Caller, path: str, table: str, happen: Callable[[], object]) -> Any:
    """Get an answer of one statement during which a change is committed, when it has come to a table."""
    answers: list[Any] = []

    def read() -> None:
        try:
            answers.append(caller.get(path))
        finally:
            connections.close_all()

    thread = threading.Thread(target=read)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        thread.start()
        await_waiting(cursor, table)
        happen()
    thread.join()
    assert answers[0].status == 200, answers[0].json
    return answers[0].json


def await_waiting(cursor: Any, table: str) -> None:
    """Wait until another connection waits for the lock on a table."""
    for _ in range(500):
        cursor.execute("SELECT count(*) FROM pg_locks WHERE relation = %s::regclass AND NOT granted", [table])
        if cursor.fetchone()[0]:
            return
        time.sleep(0.02)
    raise AssertionError(f"nobody reads {table}")


def test_an_escrow_and_its_timeline_are_of_one_moment(world: World, call_as: As) -> None:
    job = refunded(world)
    client, path = call_as(job.client), f"/payments/escrow/{job.escrow.pk}/"
    escrow = halfway(client, path, "payments_auditevent", lambda: fail_refund(world, job))
    check_moments(client, job, escrow)


def test_listed_escrows_and_their_timelines_are_of_one_moment(world: World, call_as: As) -> None:
    job = refunded(world)
    client = call_as(job.client)
    read = get(client, "/payments/escrow/", Meanwhile("payments_auditevent", lambda: fail_refund(world, job)))
    check_moments(client, job, read["results"][0])


def check_moments(client: Caller, job: Job, escrow: Any) -> None:
    """Assert that an escrow was read before its refund failed, and that it has failed now."""
    events = [row["event"] for row in escrow["timeline"]]
    assert (escrow["status"], "refund_failed" in events) == ("refunded", False)

    after = client.get(f"/payments/escrow/{job.escrow.pk}/").json
    assert (after["status"], after["timeline"][-1]["event"]) == ("funded", "refund_failed")


def test_a_release_answers_the_escrow_as_it_left_it(world: World, call_as: As) -> None:
    job = world.completed()
    client = call_as(job.client)
    seen: list[str] = []

    def see(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(see):
        answer = client.post(f"/payments/escrow/{job.escrow.pk}/release/")
    assert answer.status == 200
    # Nothing is read after the release, so nothing that happens meanwhile can be in the answer.
    written = next(number for number, sql in enumerate(seen) if "payments_release(" in sql)
    assert all("ledger_post" in sql for sql in seen[written + 1 :])
    escrow = answer.json["escrow"]
    assert (escrow["status"], escrow["timeline"][-1]["event"]) == ("released", "released")
    assert escrow["allowed_actions"] == []


def test_balances_and_totals_of_the_wallet_are_of_one_moment(world: World, call_as: As) -> None:
    job = world.completed()
    freelancer = call_as(job.freelancer)
    wallet = halfway(freelancer, "/payments/wallet/", "payments_historytotal", lambda: world.release(job))
    assert (wallet["escrowed_balance"], wallet["pending_balance"], wallet["total_earned"]) == ("100.00", "0.00", "0.00")
    wallet = freelancer.get("/payments/wallet/").json
    assert (wallet["escrowed_balance"], wallet["pending_balance"], wallet["total_earned"]) == ("0.00", "85.00", "85.00")


def test_the_history_has_as_many_rows_as_it_counts(world: World, call_as: As) -> None:
    job = world.completed()
    client, path = call_as(job.client), "/payments/wallet/transactions/"
    found = halfway(client, path, "payments_historyrow", lambda: world.release(job))
    assert found["count"] == len(found["results"]) == 1
    found = client.get(path).json
    assert found["count"] == len(found["results"]) == 2


def test_a_list_of_refunds_has_as_many_rows_as_it_counts(world: World, call_as: As) -> None:
    job = world.started()
    client = call_as(job.client)
    world.refund(job, amount=dollars("10.00"))
    second = world.started(client=job.client)
    counted: list[str] = []

    def ask_for_another(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("SELECT COUNT") and "payments_refund" in sql:
            counted.append(sql)
        elif 'FROM "payments_refund"' in sql and len(counted) == 1:
            counted.append(sql)
            thread = threading.Thread(target=_in_thread, args=[lambda: world.refund(second)])
            thread.start()
            thread.join()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(ask_for_another):
        found = client.get("/payments/refunds/").json
    assert len(counted) == 2
    assert found["count"] == len(found["results"]) == 1
    assert client.get("/payments/refunds/").json["count"] == 2


def _in_thread(happen: Callable[[], object]) -> None:
    try:
        happen()
    finally:
        connections.close_all()
