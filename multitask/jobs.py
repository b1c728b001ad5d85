"""Jobs, each of which calls one command. They run in the worker (`manage.py worker`).

Each queue has its own threads there: `chores` are quick and find lost work, `deadlines` act when a time has come,
`polls` read from the provider or extend what is published, `maintenance` takes minutes on large books, `newest`
processes the newest webhooks when there is a backlog.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.utils import timezone
from procrastinate import JobContext
from procrastinate.contrib.django import app

from multitask import database
from multitask.database import jobs, schema
from multitask.ledger import chain, checks, proof
from multitask.payments.books import health
from multitask.payments.books.proof import statements
from multitask.payments.errors import PaymentError
from multitask.payments.escrow import auto_release, refund_payouts, refunds
from multitask.payments.funding import cancellations, unfunded
from multitask.payments.losses import adjustments
from multitask.payments.notices import emails, notices, reminders
from multitask.payments.operations import engine, sweeper
from multitask.payments.payouts import (
    account_moves,
    availability,
    budget,
    budget_shortage,
    overdue_payouts,
    withdrawal_cancellation,
)
from multitask.payments.provider import ProviderError
from multitask.users import account_emails
from multitask.users.actor import Actor
from multitask.webhooks import incoming, polling, statement

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


@app.task(name="allot_budget", queue="operations")
def allot_budget(provider: str, currency: str) -> None:
    """Allot a payout budget to the payouts that wait for it."""
    budget.allot(provider=provider, currency=currency, now=timezone.now())


@app.task(name="compare_budget", queue="operations")
def compare_budget(provider: str, currency: str) -> None:
    """Compare a payout budget with the provider's figure, since a payout was refused."""
    _compare_budget(provider, currency)


@app.periodic(cron="*/5 * * * *")
@app.task(name="compare_budgets", queue="polls", queueing_lock="compare_budgets")
def compare_budgets(timestamp: int) -> None:
    """Compare each payout budget with the provider's figure."""
    for provider, currency in budget.routed():
        _compare_budget(provider, currency)


def _compare_budget(provider: str, currency: str) -> None:
    try:
        budget.compare(provider=provider, currency=currency, now=timezone.now())
    except ProviderError as error:
        # It is compared again soon, and the budget shows how old its last figure is.
        log.warning("budget_not_compared", provider=provider, currency=currency, fault=str(error))


@app.periodic(cron="* * * * *")
@app.task(name="allot_budgets", queue="deadlines", queueing_lock="allot_budgets")
def allot_budgets(timestamp: int) -> None:
    """Begin refunds that have to be paid out, allot budgets to payouts whose cool-down is over, and note shortages.

    Withdrawals to destinations that their owners removed or replaced unused are called off, and payouts that do not
    end are held for finance to decide.
    """
    now = timezone.now()
    _each(
        withdrawal_cancellation.to_removed_destinations(),
        lambda withdrawal_id: withdrawal_cancellation.call_off_misled(withdrawal_id=withdrawal_id, now=now),
    )
    _each(refund_payouts.due(now=now), lambda refund_id: refund_payouts.begin(refund_id=refund_id, now=now))
    _each(
        refund_payouts.without_destination(now=now),
        lambda refund_id: refund_payouts.note_waiting(refund_id=refund_id, now=now),
    )
    _each(overdue_payouts.due(now=now), lambda payout_id: overdue_payouts.hold(disbursement_id=payout_id, now=now))
    for provider, currency in sorted({*budget.waiting(now=now), *budget.awaiting_turn()}):
        budget.allot(provider=provider, currency=currency, now=now)
    for provider, currency in budget_shortage.due(now=now):
        budget_shortage.note(provider=provider, currency=currency, now=now)


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
    _in_batches(
        availability.due(now=now),
        lambda escrow_ids: availability.make_available_together(escrow_ids, now=now),
        lambda escrow_id: availability.make_available(escrow_id=escrow_id, now=now),
    )


@app.periodic(cron="* * * * *")
@app.task(name="move_to_successors", queue="deadlines", queueing_lock="move_to_successors")
def move_to_successors(timestamp: int) -> None:
    """Bring money that lies in accounts that were replaced to their successors."""
    now = timezone.now()
    _each(account_moves.due(now=now), lambda account_id: account_moves.move(account_id=account_id, now=now))


@app.periodic(cron="* * * * *")
@app.task(name="make_adjustments_available", queue="deadlines", queueing_lock="make_adjustments_available")
def make_adjustments_available(timestamp: int) -> None:
    """Make adjustments available that have arrived at the payee's account and can be paid out."""
    now = timezone.now()
    _each(
        adjustments.due(now=now),
        lambda adjustment_id: adjustments.make_available(adjustment_id=adjustment_id, now=now),
    )


@app.periodic(cron="* * * * *")
@app.task(name="release_silent", queue="deadlines", queueing_lock="release_silent")
def release_silent(timestamp: int) -> None:
    """Release escrows whose client has not answered a delivery in time."""
    now = timezone.now()
    _in_batches(
        auto_release.due(now=now),
        lambda escrow_ids: auto_release.release_together(escrow_ids, now=now),
        lambda escrow_id: auto_release.release(escrow_id=escrow_id, now=now),
    )


@app.periodic(cron="* * * * *")
@app.task(name="accept_silent", queue="deadlines", queueing_lock="accept_silent")
def accept_silent(timestamp: int) -> None:
    """Accept refund requests that the freelancer has not answered in time."""
    now = timezone.now()
    _each(refunds.unanswered(now=now), lambda refund_id: _accept(refund_id, now))


@app.periodic(cron="* * * * *")
@app.task(name="close_unfunded", queue="deadlines", queueing_lock="close_unfunded")
def close_unfunded(timestamp: int) -> None:
    """Close escrows that were not paid in time."""
    now = timezone.now()
    _each(unfunded.due(now=now), lambda escrow_id: unfunded.close(escrow_id=escrow_id, now=now))


@app.periodic(cron="23 * * * *")
@app.task(name="cancel_left_open", queue="deadlines", queueing_lock="cancel_left_open")
def cancel_left_open(timestamp: int) -> None:
    """Cancel payments of cancelled escrows once more that the provider could not cancel before."""
    now = timezone.now()
    _each(cancellations.left_open(now=now), lambda payment_id: cancellations.repeat(payment_id=payment_id, now=now))


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
@app.task(name="queue_statements", queue="chores", queueing_lock="queue_statements")
def queue_statements(timestamp: int) -> None:
    """Queue a job for each provider account whose statement is due."""
    statement.queue_due(now=timezone.now())


@app.task(name="read_statement", queue="statements", pass_context=True)
def read_statement(context: JobContext, account_id: int) -> None:
    """Read the statement of one provider account, unless it was read meanwhile, and compare it with the ledger."""
    try:
        statement.read_due(account_id=account_id, is_repeated=context.job.attempts > 1, now=timezone.now())
    except ProviderError as error:
        # It is due again soon, and the last comparison shows how old it is.
        log.warning("statement_put_off", account=account_id, fault=str(error))


@app.periodic(cron="* * * * * */10")
@app.task(name="retry_stalled", queue="chores", queueing_lock="retry_stalled")
def retry_stalled(timestamp: int) -> None:
    """Run jobs of dead workers again; every job can run twice."""
    for job_id, task in jobs.retry_stalled():
        log.warning("job_stalled", job=job_id, task=task)


@app.periodic(cron="7 * * * *")
@app.task(name="check_books", queue="maintenance", queueing_lock="check_books")
def check_books(timestamp: int) -> None:
    """Check the ledger's invariants; a violation is logged as `books_broken` and fails the job.

    Each hour what was posted since is proven, a part of what is old, and what was found broken; every
    BOOKS_FULL_PROOF_DAYS, and each hour while the ledger's own invariants are violated, everything is. A difference at
    a provider or a wrong row of another package is reported each hour, and changes nothing about how much is proven.

    During a deployment the schema may belong to another release. Then nothing is checked: the job fails and logs
    `books_not_checked`.
    """
    try:
        schema.require_same()
    except schema.SchemaDiffers as refusal:
        log.error("books_not_checked", reason=str(refusal))
        raise
    broken = proof.run(reread_days=settings.BOOKS_REREAD_DAYS)
    is_full = health.full_proof_is_due(days=settings.BOOKS_FULL_PROOF_DAYS, now=timezone.now())
    if is_full:
        broken = list(dict.fromkeys([*broken, *proof.run_in_full()]))
    is_proven = is_full and not any(violation.invariant in checks.OF_LEDGER for violation in broken)
    health.record(violations=len(broken), is_proven=is_proven, now=timezone.now())
    for violation in broken:
        log.critical("books_broken", invariant=violation.invariant, detail=violation.detail)
    if broken:
        raise RuntimeError(f"{len(broken)} violations of the books' invariants")


@app.periodic(cron="*/5 * * * *")
@app.task(name="extend_chain", queue="polls", queueing_lock="extend_chain")
def extend_chain(timestamp: int) -> None:
    """Append links to the ledger's hash chain for the transactions that are closed."""
    chain.extend()


@app.periodic(cron="*/10 * * * *")
@app.task(name="publish_statement", queue="polls", queueing_lock="publish_statement")
def publish_statement(timestamp: int) -> None:
    """Sign the statement of today, unless there is one already."""
    statements.publish(now=timezone.now())


@app.periodic(cron="* * * * * */5")
@app.task(name="collect_notices", queue="chores", queueing_lock="collect_notices")
def collect_notices(timestamp: int) -> None:
    """Create notices for events since the last run."""
    notices.collect(now=timezone.now())


@app.periodic(cron="*/10 * * * *")
@app.task(name="remind_clients", queue="chores", queueing_lock="remind_clients")
def remind_clients(timestamp: int) -> None:
    """Remind people of what happens, or has to be done, by a date."""
    now = timezone.now()
    notices.remind(now=now)
    reminders.remind(now=now)


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
def send_letter(
    context: JobContext, kind: str, address: str, user_id: int, attempt: int, state: str = "", begun: int = 0
) -> None:
    """Send one email about an account, at most once: its job is marked right before, in `begun`."""
    account_emails.send(
        kind=kind,
        address=address,
        user_id=user_id,
        attempt=attempt,
        state=state,
        now=timezone.now(),
        begin=lambda: jobs.begin_once(context.job.id, context.job.attempts),
    )


def _each(numbers: Iterable[int], do: Callable[[int], object]) -> None:
    """Call `do` for each number; an error on one does not block the others. Raises the first error at the end."""
    failures = _attempt_each(numbers, do)
    if failures:
        raise failures[0]


def _in_batches(
    numbers: Sequence[int], together: Callable[[Sequence[int]], object], alone: Callable[[int], object]
) -> None:
    """Call `together` for some numbers at a time, and `alone` for each of them if that fails, as `_each` does."""
    failures: list[Exception] = []
    for batch in jobs.batches(numbers, database.TOGETHER):
        try:
            together(batch)
        except Exception as error:
            log.warning("batch_done_one_by_one", numbers=len(batch), fault=str(error))
            failures += _attempt_each(batch, alone)
    if failures:
        raise failures[0]


def _attempt_each(numbers: Iterable[int], do: Callable[[int], object]) -> list[Exception]:
    failures: list[Exception] = []
    for number in numbers:
        try:
            do(number)
        except Exception as error:
            log.exception("batch_item_failed", number=number)
            failures.append(error)
    return failures


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
