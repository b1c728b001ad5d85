"""Jobs, each of which calls one command. They run in the worker (`manage.py worker`).

Each queue has its own threads there: `chores` are quick and find lost work, `deadlines` act when a time has come,
`polls` take long or read from the provider, `newest` processes the newest webhooks when there is a backlog.
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
from multitask.payments.escrow import auto_release, refunds
from multitask.payments.notices import emails, notices
from multitask.payments.operations import engine, sweeper
from multitask.payments.payouts import availability
from multitask.users import account_emails
from multitask.users.actor import Actor
from multitask.webhooks import incoming, polling

# Workers send a heartbeat every ten seconds; after three missed ones a worker counts as dead.
STALLED_SECONDS: Final = 30

log = structlog.get_logger(__name__)


@app.task(name="perform_operation", queue="operations")
def perform_operation(operation_id: int) -> None:
    """Perform one operation: make its call at the provider."""
    engine.perform(operation_id, now=timezone.now())


@app.task(name="make_available", queue="operations")
def make_available(escrow_id: int) -> None:
    """Make one released share available."""
    availability.make_available(escrow_id=escrow_id, now=timezone.now())


@app.task(name="make_account_available", queue="operations")
def make_account_available(account_id: int, after: int = 0) -> None:
    """Make available what has become due for one connected account."""
    availability.make_account_available(account_id=account_id, after=after, now=timezone.now())


@app.periodic(cron="* * * * * */5")
@app.task(name="sweep_operations", queue="chores", queueing_lock="sweep_operations")
def sweep_operations(timestamp: int) -> None:
    """Queue operations that a crash or a lost job left behind."""
    sweeper.sweep(now=timezone.now())


@app.periodic(cron="* * * * *")
@app.task(name="make_due_available", queue="deadlines", queueing_lock="make_due_available")
def make_due_available(timestamp: int) -> None:
    """Make shares available whose funds have settled at the provider without an event."""
    now = timezone.now()
    _each(availability.due(now=now), lambda escrow_id: availability.make_available(escrow_id=escrow_id, now=now))


@app.periodic(cron="* * * * *")
@app.task(name="release_silent", queue="deadlines", queueing_lock="release_silent")
def release_silent(timestamp: int) -> None:
    """Release escrows whose client has not answered a delivery in time."""
    now = timezone.now()
    _each(
        auto_release.due(now=now),
        lambda escrow_id: auto_release.release(escrow_id=escrow_id, now=now),
    )


@app.periodic(cron="* * * * *")
@app.task(name="accept_silent", queue="deadlines", queueing_lock="accept_silent")
def accept_silent(timestamp: int) -> None:
    """Accept refund requests that the freelancer has not answered in time."""
    now = timezone.now()
    _each(refunds.unanswered(now=now), lambda refund_id: _accept(refund_id, now))


@app.task(name="process_webhook", queue="webhooks")
def process_webhook(event_id: int) -> None:
    """Process one stored webhook event."""
    incoming.process(event_id=event_id, now=timezone.now())


@app.periodic(cron="* * * * * */5")
@app.task(name="process_newest", queue="newest", queueing_lock="process_newest")
def process_newest(timestamp: int) -> None:
    """Process the newest awaited events before a backlog of older ones."""
    incoming.process_newest(now=timezone.now())


@app.periodic(cron="* * * * * */10")
@app.task(name="sweep_webhooks", queue="chores", queueing_lock="sweep_webhooks")
def sweep_webhooks(timestamp: int) -> None:
    """Queue events whose job was lost."""
    incoming.sweep(now=timezone.now())


@app.periodic(cron="* * * * *")
@app.task(name="refresh_open", queue="polls", queueing_lock="refresh_open")
def refresh_open(timestamp: int) -> None:
    """Read open objects from the provider, since any webhook can be lost."""
    polling.refresh_open(now=timezone.now(), since=datetime.fromtimestamp(timestamp, UTC))


@app.periodic(cron="* * * * * */10")
@app.task(name="retry_stalled", queue="chores", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    """Run jobs of dead workers again; every job can run twice."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        log.warning("job_stalled", job=job.id, task=job.task_name)
        if job.queueing_lock is None:
            await manager.retry_job(job)
        else:
            # A periodic job runs again by itself, and its queueing lock does not allow a second one in the queue.
            await manager.finish_job(job, status=Status.FAILED, delete_job=False)


@app.periodic(cron="7 * * * *")
@app.task(name="check_books", queue="polls", queueing_lock="check_books")
def check_books(timestamp: int) -> None:
    """Check the ledger's invariants; a violation is logged as `books_broken` and fails the job.

    During a deployment the schema may belong to another release. Then nothing is checked: the job fails and logs
    `books_not_checked`.
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
    """Create notices for events since the last run."""
    notices.collect(now=timezone.now())


@app.periodic(cron="*/10 * * * *")
@app.task(name="remind_clients", queue="chores", queueing_lock="remind_clients")
def remind_clients(timestamp: int) -> None:
    """Remind clients whose escrow is about to be released automatically."""
    notices.remind(now=timezone.now())


@app.task(name="send_email", queue="emails")
def send_email(notice_id: int) -> None:
    """Send one notice by email."""
    emails.send(notice_id=notice_id, now=timezone.now())


@app.periodic(cron="* * * * *")
@app.task(name="sweep_emails", queue="chores", queueing_lock="sweep_emails")
def sweep_emails(timestamp: int) -> None:
    """Queue emails whose job was lost or that the mail server refused temporarily."""
    emails.sweep(now=timezone.now())


@app.task(name="send_letter", queue="emails", pass_context=True)
def send_letter(context: JobContext, kind: str, address: str, user_id: int, attempt: int, state: str = "") -> None:
    """Send one email about an account; not sent again after a worker died, since it may have been sent already."""
    if context.job.attempts == 0:
        account_emails.send(
            kind=kind, address=address, user_id=user_id, attempt=attempt, state=state, now=timezone.now()
        )


def _each(numbers: Iterable[int], do: Callable[[int], object]) -> None:
    """Call `do` for each number; an error on one does not block the others. Raises the first error at the end."""
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
        # The refund was answered or its escrow frozen after the query.
        log.info("silent_refund_skipped", refund=refund_id, code=error.code)
