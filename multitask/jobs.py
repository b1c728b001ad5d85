"""Thin jobs: each calls one command. They run in the worker (`manage.py procrastinate worker`)."""

from typing import Any

import structlog
from django.utils import timezone
from procrastinate.contrib.django import app

from multitask.payments import escrow, operations, refunds, settlement
from multitask.payments.errors import PaymentError
from multitask.users.actor import Actor

log = structlog.get_logger(__name__)


@app.task(name="perform_operation", queue="operations")
def perform_operation(operation_id: int) -> None:
    """Make one call at a provider."""
    operations.perform(operation_id, now=timezone.now())


@app.task(name="settle_escrow", queue="operations")
def settle_escrow(escrow_id: int) -> None:
    """Make one released share available."""
    settlement.settle(escrow_id=escrow_id, now=timezone.now())


@app.periodic(cron="* * * * * */5")
@app.task(name="sweep_operations", queue="operations", queueing_lock="sweep_operations")
def sweep_operations(timestamp: int) -> None:
    """Pick up operations that a crash or a lost job has left behind."""
    operations.sweep(now=timezone.now())


@app.periodic(cron="* * * * *")
@app.task(name="settle_due", queue="operations", queueing_lock="settle_due")
def settle_due(timestamp: int) -> None:
    """Settle what has become available at the provider without our being told."""
    now = timezone.now()
    for escrow_id in settlement.due(now=now):
        settlement.settle(escrow_id=escrow_id, now=now)


@app.periodic(cron="* * * * *")
@app.task(name="release_silent", queue="operations", queueing_lock="release_silent")
def release_silent(timestamp: int) -> None:
    """Release escrows whose client has not answered a delivery in time."""
    now = timezone.now()
    for escrow_id in escrow.due_for_auto_release(now=now):
        escrow.auto_release(escrow_id=escrow_id, now=now)


@app.periodic(cron="* * * * *")
@app.task(name="accept_silent", queue="operations", queueing_lock="accept_silent")
def accept_silent(timestamp: int) -> None:
    """Accept refund requests that the freelancer has not answered in time."""
    now = timezone.now()
    for refund_id in refunds.unanswered(now=now):
        _accept(refund_id, now)


def _accept(refund_id: int, now: Any) -> None:
    try:
        refunds.answer(
            actor=Actor.system("silence"),
            refund_id=refund_id,
            accept=True,
            note="No answer in time",
            now=now,
        )
    except PaymentError as error:
        # Answered or frozen since it was listed.
        log.info("silent_refund_skipped", refund=refund_id, code=error.code)
