"""No clock alone makes the API forget an Idempotency-Key."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from multitask.payments.models import Withdrawal
from multitask.users.actor import Actor
from multitask.web.api import idempotency
from multitask.web.api.models import IdempotencyPurge, IdempotencyRecord
from tests.acceptance.clients import Caller
from tests.payments_world import World, dollars

pytestmark = pytest.mark.django_db
AHEAD = timedelta(days=3)


def test_after_a_run_with_a_clock_ahead_a_retry_withdraws_once(
    world: World, call_as: Callable[[Actor], Caller]
) -> None:
    job = world.settled()
    caller = call_as(job.freelancer)
    first = caller.post("/payments/withdrawals/create/", {"amount": "20.00"}, Idempotency_Key="k1")
    assert first.status == 201

    assert idempotency.purge(now=timezone.now() + AHEAD) == 0
    again = caller.post("/payments/withdrawals/create/", {"amount": "20.00"}, Idempotency_Key="k1")

    assert (again.status, again.content) == (first.status, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Withdrawal.objects.get().amount == dollars("20.00")


def test_a_record_is_deleted_after_its_runs_and_few_runs_are_kept(world: World) -> None:
    user_id = world.settled().escrow.freelancer_id
    now = timezone.now()
    record = IdempotencyRecord.objects.create(
        user_id=user_id, key="k", endpoint="e", request_hash="h", created_at=now, locked_until=now
    )
    gone = [idempotency.purge(now=now + AHEAD) for _ in range(idempotency.RUNS_KEPT)]
    assert not any(gone)
    later = IdempotencyRecord.objects.create(
        user_id=user_id, key="later", endpoint="e", request_hash="h", created_at=now, locked_until=now
    )
    assert idempotency.purge(now=now) == 0, "the clock has to say so too"
    assert idempotency.purge(now=now + AHEAD) == 1
    assert not IdempotencyRecord.objects.filter(pk=record.pk).exists()
    assert IdempotencyRecord.objects.get() == later
    assert IdempotencyPurge.objects.count() == idempotency.RUNS_KEPT
