"""The checks after a story: a sound ledger that equals the provider's record, and nothing left unfinished."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from multitask.payments.models import Approval, ConnectedAccount, Dispute, Escrow, Operation, Refund, Withdrawal
from multitask.payments.payouts.transfers import AWAITS_ACCOUNT, arrived
from multitask.payments.states import OPEN_OPERATIONS
from multitask.webhooks.models import EventState, IncomingEvent
from tests import books, sound_books
from tests.simulation.provider import Provider
from tests.simulation.story import Story


class Both:
    """Our database and the provider's record, for the comparison."""

    def __init__(self, provider: Provider) -> None:
        self.sandbox = provider

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask our database."""
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall()


def conservation() -> list[str]:
    """Every way in which our own books are not sound."""
    return [f"{found.invariant}: {found.detail}" for found in sound_books.violations()]


def all_of(story: Story) -> list[str]:
    """Everything that is wrong once a story has come to its end."""
    return [
        *conservation(),
        *books.differences(Both(story.provider)),
        *(f"nobody ends {what}" for what in unfinished(story)),
        *story.responses.contradicted(),
    ]


def unfinished(story: Story) -> Iterator[str]:
    """What is neither at an end nor in front of a person."""
    now = datetime.fromtimestamp(story.now, UTC)
    for operation in Operation.objects.filter(state__in=[state.value for state in OPEN_OPERATIONS]):
        if not _waits_for_its_freelancer(operation):
            yield f"{operation.reference}, which is {operation.state} {operation.hold} {operation.last_error_code}"
    rows: tuple[tuple[str, Any], ...] = (
        ("the refund", Refund.objects.filter(state__in=["requested", "pending"])),
        ("the withdrawal", Withdrawal.objects.filter(state__in=["pending", "processing"])),
        ("the dispute", Dispute.objects.filter(state="open")),
        ("the approval", Approval.objects.filter(decided_at=None)),
        ("the event", IncomingEvent.objects.exclude(state__in=[EventState.PROCESSED, EventState.IGNORED])),
        ("the escrow that silence releases", _silent(now)),
        ("the escrow that should settle", _unsettled(now)),
    )
    for what, found in rows:
        for row in found:
            yield f"{what} {row.pk} {getattr(row, 'state', '')} {getattr(row, 'last_error', '')}"
    if story.queue.next_due() is not None:
        yield "the jobs in the queue"
    if story.provider.outbox.next_due() is not None:
        yield "the deliveries of the provider"


def _waits_for_its_freelancer(operation: Operation) -> bool:
    accounts = ConnectedAccount.objects.filter(user_id=operation.user_id)
    can_receive = any(account.can_receive for account in accounts)
    return operation.hold == AWAITS_ACCOUNT and not can_receive


def _silent(now: datetime) -> Any:
    return Escrow.objects.filter(
        state="funded", auto_release_at__lte=now, milestone__state__in=["delivered", "completed"], frozen_at=None
    )


def _unsettled(now: datetime) -> list[Escrow]:
    waiting = Escrow.objects.filter(Q(state="released"), made_available_at=None)
    return [escrow for escrow in waiting if arrived(escrow.pk).exists() and not _waits_for_a_bank(escrow)]


def _waits_for_a_bank(escrow: Escrow) -> bool:
    accounts = ConnectedAccount.objects.filter(user_id=escrow.freelancer_id)
    return not any(account.has_bank_for(escrow.currency) for account in accounts)
