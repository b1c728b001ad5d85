"""Thin jobs: each calls one command. They run in the worker (`manage.py worker`).

Each queue has threads of its own there: `chores` are quick and find what was lost, `deadlines` act when time has
passed, `polls` take long or ask the provider, `newest` helps with a backlog of webhooks.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

import structlog
from django.utils import timezone
from procrastinate import JobContext
from procrastinate.contrib.django import app
from procrastinate.jobs import Status

from multitask.database import schema
from multitask.ledger import checks
from multitask.payments.errors import PaymentError
from multitask.payments.escrow import refunds, releases
from multitask.payments.notices import emails, notices
from multitask.payments.operations import engine, sweeper
from multitask.payments.payouts import availability
from multitask.users import letters
from multitask.users.actor import Actor
from multitask.webhooks import incoming, polling

# Workers report every ten seconds; who has been silent for three times as long is gone.
STALLED_SECONDS: Final = 30

log = structlog.get_logger(__name__)


@app.task(name="perform_operation", queue="operations")
def perform_operation(operation_id: int) -> None:
    """Make one call at a provider."""
    engine.perform(operation_id, now=timezone.now())


@app.task(name="settle_escrow", queue="operations")
def settle_escrow(escrow_id: int) -> None:
    """Make one released share available."""
    availability.settle(escrow_id=escrow_id, now=timezone.now())


@app.task(name="settle_account", queue="operations")
def settle_account(account_id: int, after: int = 0) -> None:
    """Make available what has become due for one connected account."""
    availability.settle_account(account_id=account_id, after=after, now=timezone.now())


@app.periodic(cron="* * * * * */5")
@app.task(name="sweep_operations", queue="chores", queueing_lock="sweep_operations")
def sweep_operations(timestamp: int) -> None:
    """Pick up operations that a crash or a lost job has left behind."""
    sweeper.sweep(now=timezone.now())


@app.periodic(cron="* * * * *")
@app.task(name="settle_due", queue="deadlines", queueing_lock="settle_due")
def settle_due(timestamp: int) -> None:
    """Settle what has become available at the provider without our being told."""
    now = timezone.now()
    _each(availability.due(now=now), lambda escrow_id: availability.settle(escrow_id=escrow_id, now=now))


@app.periodic(cron="* * * * *")
@app.task(name="release_silent", queue="deadlines", queueing_lock="release_silent")
def release_silent(timestamp: int) -> None:
    """Release escrows whose client has not answered a delivery in time."""
    now = timezone.now()
    _each(releases.due_for_auto_release(now=now), lambda escrow_id: releases.auto_release(escrow_id=escrow_id, now=now))


@app.periodic(cron="* * * * *")
@app.task(name="accept_silent", queue="deadlines", queueing_lock="accept_silent")
def accept_silent(timestamp: int) -> None:
    """Accept refund requests that the freelancer has not answered in time."""
    now = timezone.now()
    _each(refunds.unanswered(now=now), lambda refund_id: _accept(refund_id, now))


@app.task(name="process_webhook", queue="webhooks")
def process_webhook(event_id: int) -> None:
    """Take over what a stored event says."""
    incoming.process(event_id=event_id, now=timezone.now())


@app.periodic(cron="* * * * * */5")
@app.task(name="process_newest", queue="newest", queueing_lock="process_newest")
def process_newest(timestamp: int) -> None:
    """Help the newest events that somebody waits for past a backlog."""
    incoming.process_newest(now=timezone.now())


@app.periodic(cron="* * * * * */10")
@app.task(name="sweep_webhooks", queue="chores", queueing_lock="sweep_webhooks")
def sweep_webhooks(timestamp: int) -> None:
    """Pick up events whose job was lost."""
    incoming.sweep(now=timezone.now())


@app.periodic(cron="* * * * *")
@app.task(name="refresh_open", queue="polls", queueing_lock="refresh_open")
def refresh_open(timestamp: int) -> None:
    """Ask the provider about what is open, since any webhook can be lost."""
    polling.refresh_open(now=timezone.now(), since=datetime.fromtimestamp(timestamp, UTC))


@app.periodic(cron="* * * * * */10")
@app.task(name="retry_stalled", queue="chores", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    """Run again what a killed worker has left half done; every job bears that."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        log.warning("job_stalled", job=job.id, task=job.task_name)
        if job.queueing_lock is None:
            await manager.retry_job(job)
        else:
            # A chore comes again by itself, and a second one that waits would be refused.
            await manager.finish_job(job, status=Status.FAILED, delete_job=False)


@app.periodic(cron="7 * * * *")
@app.task(name="check_books", queue="polls", queueing_lock="check_books")
def check_books(timestamp: int) -> None:
    """Prove the books; what is broken fails the job and stands in the log.

    While a release is being replaced the schema may be that of another one: then the books are not checked, which
    fails the job as well, under another name in the log.
    """
    try:
        schema.require_same()
    except schema.SchemaDiffers as refusal:
        log.error("books_not_checked", reason=str(refusal))
        raise
    broken = checks.run()
    for violation in broken:
        log.critical("books_broken", invariant=violation.invariant, detail=violation.detail)
    if broken:
        raise RuntimeError(f"{len(broken)} violations of the books' invariants")


@app.periodic(cron="* * * * * */5")
@app.task(name="collect_notices", queue="chores", queueing_lock="collect_notices")
def collect_notices(timestamp: int) -> None:
    """Tell people what happened since the last look."""
    notices.collect(now=timezone.now())


@app.periodic(cron="*/10 * * * *")
@app.task(name="remind_clients", queue="chores", queueing_lock="remind_clients")
def remind_clients(timestamp: int) -> None:
    """Tell clients whose silence is about to release money."""
    notices.remind(now=timezone.now())


@app.task(name="send_email", queue="emails")
def send_email(notice_id: int) -> None:
    """Send one notice by email."""
    emails.send(notice_id=notice_id, now=timezone.now())


@app.periodic(cron="* * * * *")
@app.task(name="sweep_emails", queue="chores", queueing_lock="sweep_emails")
def sweep_emails(timestamp: int) -> None:
    """Pick up emails whose job was lost, or that the mail server refused for a while."""
    emails.sweep(now=timezone.now())


@app.task(name="send_letter", queue="emails", pass_context=True)
def send_letter(context: JobContext, kind: str, address: str, user_id: int, attempt: int, state: str = "") -> None:
    """Send one letter about an account; a second run follows a worker that died, perhaps after sending."""
    if context.job.attempts == 0:
        letters.send(kind=kind, address=address, user_id=user_id, attempt=attempt, state=state, now=timezone.now())


def _each(numbers: Iterable[int], do: Callable[[int], object]) -> None:
    """Do it for each, also after one that fails; the first failure then fails the job."""
    failures = []
    for number in numbers:
        try:
            do(number)
        except Exception as error:
            log.exception("chore_failed", number=number)
            failures.append(error)
    if failures:
        raise failures[0]


def _accept(refund_id: int, now: datetime) -> None:
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
