"""While a bank contests a payment the API takes no step of the work, as the pages offer none."""

from collections.abc import Callable

import pytest

from multitask.users.actor import Actor
from tests.acceptance.clients import Caller
from tests.integration.payments.test_chargebacks import close, contest
from tests.payments_world import Job, World

As = Callable[[Actor], Caller]
Begin = Callable[[World], Job]


@pytest.mark.parametrize("is_inquiry", [False, True])
@pytest.mark.parametrize(
    ("begin", "side", "path", "status"),
    [
        (lambda world: world.funded(), "freelancer", "/api/tasks/{task}/start/", "assigned"),
        (lambda world: world.started(), "freelancer", "/api/tasks/{task}/deliver/", "in_progress"),
        (lambda world: world.delivered(), "client", "/api/tasks/{task}/complete/", "delivered"),
    ],
)
def test_no_step_of_the_work_is_taken_until_it_is_decided(
    world: World, call_as: As, begin: Begin, side: str, path: str, status: str, is_inquiry: bool
) -> None:
    job = begin(world)
    chargeback = contest(world, job, inquiry=is_inquiry)
    caller = call_as(getattr(job, side))
    refused = caller.post(path.format(task=job.task_id))
    assert (refused.status, refused.code) == (409, "escrow_frozen")
    assert caller.get(f"/api/tasks/{job.task_id}/").json["status"] == status
    close(world, chargeback, "won")
    assert caller.post(path.format(task=job.task_id)).status == 200


@pytest.mark.parametrize("side", ["client", "freelancer"])
def test_no_dispute_is_opened_while_the_bank_decides(world: World, call_as: As, side: str) -> None:
    job = world.delivered()
    chargeback = contest(world, job)
    caller, address = call_as(getattr(job, side)), f"/payments/escrow/{job.escrow.pk}/"
    assert caller.get(address).json["allowed_actions"] == []
    refused = caller.post(f"{address}dispute/", {"reason": "Late"})
    assert (refused.status, refused.code) == (409, "escrow_frozen")
    assert not job.escrow.disputes.exists()
    close(world, chargeback, "won")
    assert "dispute" in caller.get(address).json["allowed_actions"]
    assert caller.post(f"{address}dispute/", {"reason": "Late"}).status == 201


def test_no_refund_request_is_taken_back_while_the_bank_decides(world: World, call_as: As) -> None:
    job = world.delivered()
    world.refund(job)
    chargeback = contest(world, job)
    caller, address = call_as(job.client), f"/payments/refunds/{job.refund.pk}/withdraw/"
    assert caller.get(f"/payments/escrow/{job.escrow.pk}/").json["allowed_actions"] == []
    assert (caller.post(address).code, job.refund.state) == ("escrow_frozen", "requested")
    close(world, chargeback, "won")
    assert (caller.post(address).status, job.refund.state) == (200, "withdrawn")


def test_contested_work_can_be_called_off(world: World, call_as: As) -> None:
    job = world.started()
    contest(world, job)
    assert call_as(job.freelancer).post(f"/api/tasks/{job.task_id}/cancel/").status == 200
    assert (job.escrow.state, job.escrow.remaining) == ("funded", job.escrow.total)
