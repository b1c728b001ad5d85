"""Calls around the expiry of their idempotency key: whatever a clock says, each operation has one effect."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection

from multitask.payments.models import Operation
from multitask.payments.operations import boot_clock, engine
from tests.integration.payments.test_finding import KINDS, Begin
from tests.payments_world import World

PATIENCE_SECONDS = 90
LONGER_THAN_A_KEY_LIVES = timedelta(hours=25)
BY_KIND = pytest.mark.parametrize(("kind", "thing", "path", "begin"), KINDS, ids=[kind for kind, *_ in KINDS])


def unanswered(world: World, kind: str, path: str, begin: Begin) -> Operation:
    """An operation whose first request was lost on the way."""
    world.sandbox.add_fault("drop_request", method="POST", path=path, count=1)
    begin(world)
    world.lose_jobs()
    world.wait(minutes=1)
    return Operation.objects.get(kind=kind, state="unknown")


@pytest.mark.django_db(transaction=True)
@BY_KIND
def test_a_call_in_flight_while_a_clock_is_set_has_one_effect(
    world: World, kind: str, thing: str, path: str, begin: Begin
) -> None:
    operation = unanswered(world, kind, path, begin)
    world.sandbox.add_fault("delay", method="POST", path=path, count=1, seconds=1.5)
    first = threading.Thread(target=perform_and_close, args=(operation.pk, world))
    first.start()
    wait_until_sent(operation)

    world.wait(LONGER_THAN_A_KEY_LIVES)
    engine.perform(operation.pk, now=world.now)
    first.join(PATIENCE_SECONDS)
    world.wait(minutes=20)
    engine.perform(operation.pk, now=world.now)

    operation.refresh_from_db()
    assert operation.state == "succeeded"
    assert len(world.made(thing, operation.reference)) == 1


@BY_KIND
def test_an_attempt_paused_before_it_is_sent_sends_nothing(
    world: World, kind: str, thing: str, path: str, begin: Begin
) -> None:
    operation = unanswered(world, kind, path, begin)
    readings = iter([0.0, 0.0, 0.0])
    with boot_clock.using(lambda: next(readings, LONGER_THAN_A_KEY_LIVES.total_seconds())):
        paused = engine.perform(operation.pk, now=world.now)
    assert (paused.state, paused.last_error_code) == ("pending", "sent_too_late")
    assert world.made(thing, operation.reference) == []

    world.wait(minutes=1)
    assert engine.perform(operation.pk, now=world.now).state == "succeeded"
    assert len(world.made(thing, operation.reference)) == 1


def perform_and_close(operation_id: int, world: World) -> None:
    try:
        engine.perform(operation_id, now=world.now)
    finally:
        connection.close()


def wait_until_sent(operation: Operation) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        operation.refresh_from_db()
        if operation.state == "sent":
            # Claimed; a moment later the request is at the provider, which holds it back.
            time.sleep(0.3)
            return
        time.sleep(0.02)
    raise AssertionError("the operation was never claimed")
