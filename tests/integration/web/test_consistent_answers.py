"""All parts of a response show one moment, whatever is committed meanwhile."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections

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


@pytest.mark.parametrize("path", ["/payments/escrow/{}/", "/payments/escrow/"])
def test_an_escrow_and_its_timeline_are_of_one_moment(world: World, call_as: As, path: str) -> None:
    job = refunded(world)
    client = call_as(job.client)
    path = path.format(job.escrow.pk)
    read = get(client, path, Meanwhile("payments_auditevent", lambda: fail_refund(world, job)))
    escrow = read["results"][0] if "results" in read else read
    events = [row["event"] for row in escrow["timeline"]]
    assert (escrow["status"], "refund_failed" in events) == ("refunded", False)

    after = client.get(f"/payments/escrow/{job.escrow.pk}/").json
    assert (after["status"], after["timeline"][-1]["event"]) == ("funded", "refund_failed")


def test_a_release_answers_the_escrow_as_it_left_it(world: World, call_as: As) -> None:
    job = world.completed()
    client = call_as(job.client)
    meanwhile = Meanwhile("payments_auditevent", world.work)
    with connection.execute_wrapper(meanwhile):
        answer = client.post(f"/payments/escrow/{job.escrow.pk}/release/")
    assert (answer.status, meanwhile.happened) == (200, True)
    assert job.history()[-1] == "transferred"
    escrow = answer.json["escrow"]
    assert (escrow["status"], escrow["timeline"][-1]["event"]) == ("released", "released")
    assert escrow["allowed_actions"] == []


def test_balances_and_totals_of_the_wallet_are_of_one_moment(world: World, call_as: As) -> None:
    job = world.completed()
    freelancer = call_as(job.freelancer)
    wallet = get(freelancer, "/payments/wallet/", Meanwhile("payments_historytotal", lambda: world.release(job)))
    assert (wallet["escrowed_balance"], wallet["pending_balance"], wallet["total_earned"]) == ("100.00", "0.00", "0.00")
    wallet = freelancer.get("/payments/wallet/").json
    assert (wallet["escrowed_balance"], wallet["pending_balance"], wallet["total_earned"]) == ("0.00", "85.00", "85.00")


def test_the_history_has_as_many_rows_as_it_counts(world: World, call_as: As) -> None:
    job = world.completed()
    client, path = call_as(job.client), "/payments/wallet/transactions/"
    found = get(client, path, Meanwhile("payments_historyrow", lambda: world.release(job)))
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
