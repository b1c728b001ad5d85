"""The checks after a story: a sound ledger that equals the provider's record, and nothing left unfinished."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import OuterRef, Q, Subquery, Sum

from multitask import ledger
from multitask.ledger.models import Balance
from multitask.money import Money
from multitask.payments.books import postings, statement, statement_postings
from multitask.payments.losses import adjustments
from multitask.payments.models import (
    Adjustment,
    Approval,
    Chargeback,
    ConnectedAccount,
    Dispute,
    Escrow,
    Evidence,
    FraudWarning,
    HistoryRow,
    Operation,
    ProviderAccount,
    Reconciliation,
    Refund,
    Reversal,
    StatementLine,
    Withdrawal,
)
from multitask.payments.payouts import account_balances, account_moves, transfers
from multitask.payments.payouts.transfers import AWAITS_ACCOUNT, AWAITS_BANK, CREATE_TRANSFER, arrived
from multitask.payments.states import OPEN_OPERATIONS
from multitask.webhooks import statement as reading
from multitask.webhooks.models import EventState, IncomingEvent
from sandboxes.kit.documents import Doc
from tests import books, sound_books
from tests.simulation import answers, finance
from tests.simulation.egypt import checks as egypt
from tests.simulation.provider import CAPITAL, Provider
from tests.simulation.story import Story

_ENDED_EVENTS = (EventState.PROCESSED, EventState.IGNORED, EventState.DISMISSED)


class Both:
    """Our database and the provider's record, for the comparison."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.sandbox = self

    def money(self) -> Doc:
        """Return the provider's record; the capital counts where its line of the statement is booked."""
        lines = StatementLine.objects.filter(kind__in=["topup", "opening"], account__account=None)
        booked = [line.currency.lower() for line in lines if line.amount_minor >= CAPITAL[line.currency.lower()]]
        return self._provider.money(booked=booked)

    def objects(self, kind: str) -> list[Doc]:
        """Return every object of a kind with its account."""
        return self._provider.objects(kind)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask our database."""
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall()


def conservation() -> list[str]:
    """Every way in which our own books are not sound."""
    return [f"{found.invariant}: {found.detail}" for found in sound_books.violations()]


def all_of(story: Story, *, is_read: bool = False) -> list[str]:
    """Everything that is wrong once a story has come to its end; `is_read`: its statements were read just now."""
    if story.reads_statements and not is_read:
        read_statements(story)
    apart = books.differences(Both(story.provider)) if story.paymob is None else egypt.differences(story.paymob)
    return [
        *conservation(),
        *apart,
        *(f"nobody ends {what}" for what in unfinished(story)),
        *held_of_others(),
        *history_of_chargebacks(),
        *answers.at_the_bank(story),
        *story.responses.contradicted(),
    ]


def read_statements(story: Story) -> None:
    """Read the statements of all accounts, but of those whose money has not moved since they were found equal."""
    now = datetime.fromtimestamp(story.now, UTC)
    statement.add_accounts(["stripe"], now)
    for account in ProviderAccount.objects.select_related("account").order_by("pk"):
        if story.statements_read.get(account.pk, ()) != _moved(story, account):
            reading.refresh(account_id=account.pk, now=now)
            story.statements_read[account.pk] = _moved(story, account) if _is_equal(account) else ()


def _moved(story: Story, account: ProviderAccount) -> tuple[int, ...]:
    """Return how much has happened with an account's money, at the provider and in our books."""
    owner = story.provider.sandbox.platform if account.account is None else str(account.account.provider_account_id)
    code = statement_postings.account_of(account).code
    found = Balance.objects.filter(account__code=code).aggregate(sum=Sum("sequence"))
    return story.provider.movements(owner), found["sum"] or 0


def _is_equal(account: ProviderAccount) -> bool:
    """Return whether the books of an account were found equal and all of its lines are matched."""
    waiting = StatementLine.objects.filter(account=account).exclude(state__in=["matched", "explained"])
    return (
        not waiting.exists() and not Reconciliation.objects.filter(account=account).exclude(differs_since=None).exists()
    )


def unfinished(story: Story) -> Iterator[str]:
    """What is neither at an end nor in front of a person."""
    now = datetime.fromtimestamp(story.now, UTC)
    for operation in Operation.objects.filter(state__in=[state.value for state in OPEN_OPERATIONS]):
        if not _waits_for_its_freelancer(operation) and not finance.is_gone(operation):
            yield f"{operation.reference}, which is {operation.state} {operation.hold} {operation.last_error_code}"
    rows: tuple[tuple[str, Any], ...] = (
        ("the refund", Refund.objects.filter(state__in=["requested", "pending"])),
        ("the withdrawal", Withdrawal.objects.filter(state__in=["pending", "processing"])),
        ("the dispute", Dispute.objects.filter(state="open")),
        ("the approval", Approval.objects.filter(decided_at=None)),
        ("the event", IncomingEvent.objects.exclude(state__in=_ENDED_EVENTS)),
        ("the chargeback", Chargeback.objects.filter(closed_at=None)),
        ("the lost chargeback", finance.lost()),
        ("the reversal", finance.pending_reversals()),
        ("the refused reversal", finance.refused_reversals()),
        ("the undecided reversal", finance.undecided()),
        ("the failed refund after release", finance.failed_late_refunds()),
        ("the evidence on its way", Evidence.objects.filter(is_submitting=True)),
        ("the fraud warning", FraudWarning.objects.filter(closed_at=None)),
        ("the money in the former account", _in_former_accounts(now)),
        ("the adjustment", Adjustment.objects.filter(pk__in=adjustments.due(now=now))),
        ("the line of the statement", _open_lines()),
        ("the difference with the provider", Reconciliation.objects.exclude(differs_since=None)),
        ("the frozen escrow", Escrow.objects.exclude(frozen_at=None)),
        ("the held share of escrow", _held()),
        ("the transfer of escrow", _untransferred()),
        ("the escrow that silence releases", _silent(now)),
        ("the unpaid escrow that should be closed", _unpaid(now)),
        ("the escrow that should settle", _unsettled(now)),
    )
    for what, found in rows:
        for row in found:
            yield f"{what} {row.pk} {getattr(row, 'state', '')} {getattr(row, 'last_error', '')}"
    if story.is_egyptian:
        yield from egypt.unfinished()
    due = story.queue.next_due()
    # A call that is tried again later is named above, unless it waits for the staff.
    if due is not None and due <= story.now:
        yield "the jobs in the queue"
    if story.outbox.next_due() is not None:
        yield "the deliveries of the provider"


def _open_lines() -> Any:
    """Lines that nobody explains; what the platform had before is explained by whoever knows it."""
    return StatementLine.objects.exclude(state__in=["matched", "explained"]).exclude(kind="opening", state="open")


def _held() -> list[Escrow]:
    """Escrows whose share is held although nobody contests it, and no transfer on its way will give it back."""
    return [
        escrow for escrow in Escrow.objects.exclude(contested_minor=0) if not transfers.to_be_freed(escrow).amount_minor
    ]


def _in_former_accounts(now: datetime) -> list[ConnectedAccount]:
    """Former accounts whose money should have gone to their successor.

    What an adjustment brought there, and what the provider refused to reverse, lies in front of the staff; so does what
    a reversal waits for whose money has left the account.
    """
    shown = {row.pk for row in account_moves.left_behind(now)}
    waiting = [
        row.account_id for row in Reversal.objects.filter(state="pending") if finance.refusal(row) == finance.GONE
    ]
    refused = Reversal.objects.filter(state="failed", loss=None).values("account")
    due = ConnectedAccount.objects.filter(pk__in=account_moves.due(now=now)).exclude(pk__in=waiting)
    return [row for row in due if row.pk not in shown] + [row for row in due.exclude(pk__in=refused) if _is_moved(row)]


def _is_moved(account: ConnectedAccount) -> bool:
    """Return whether there is more in a former account than adjustments have brought there."""
    code = postings.connected_account(account.provider, account.pk).code
    brought = Operation.objects.filter(kind=adjustments.TRANSFER_ADJUSTMENT, account=account, state="succeeded")
    for (_, currency), balance in ledger.balances([code]).items():
        arguments = [made.arguments for made in brought if made.arguments["currency"] == currency]
        if -balance.amount_minor > sum(each["amount_minor"] for each in arguments):
            return True
    return False


def _untransferred() -> Iterator[Escrow]:
    """Escrows of whose share a part is neither in the payee's account nor on its way there."""
    under_way = Operation.objects.filter(kind=CREATE_TRANSFER, state__in=[state.value for state in OPEN_OPERATIONS])
    for escrow in Escrow.objects.filter(state="released", route="connected").exclude(pk__in=under_way.values("escrow")):
        # What a reversal was refused stays in the payee's account.
        if transfers.outstanding(escrow) > Money.zero(escrow.currency):
            yield escrow


def held_of_others() -> Iterator[str]:
    """Escrows of which more is held than its own chargebacks and reversals hold."""
    for escrow in Escrow.objects.exclude(contested_minor=0):
        held = sum(Chargeback.objects.filter(escrow=escrow).values_list("held_minor", flat=True))
        outside = Reversal.objects.filter(escrow=escrow, is_outside=True).values_list("amount_minor", flat=True)
        back = transfers.to_be_freed(escrow).amount_minor
        if escrow.contested_minor > held + sum(outside) + back:
            yield f"escrow {escrow.pk} has {escrow.contested_minor} held, of which its chargebacks hold {held}"


def history_of_chargebacks() -> Iterator[str]:
    """Chargebacks whose history rows do not show what became of them."""
    for chargeback in Chargeback.objects.exclude(closed_at=None):
        expected = "completed" if chargeback.losses.filter(reversed_at=None).exists() else "cancelled"
        if chargeback.status == "lost" and expected == "cancelled":
            continue  # It is lost and not booked yet, or has taken nothing.
        rows = HistoryRow.objects.filter(reference=f"chargeback:{chargeback.pk}")
        for status in rows.exclude(status=expected).values_list("status", flat=True):
            yield f"chargeback {chargeback.pk} is {chargeback.status}, its history says {status}"


def _waits_for_its_freelancer(operation: Operation) -> bool:
    accounts = ConnectedAccount.objects.filter(user_id=operation.user_id)
    currency = operation.arguments.get("currency", "")
    can_receive = any(account.can_receive and account.has_bank_for(currency) for account in accounts)
    return operation.hold in {AWAITS_ACCOUNT, AWAITS_BANK} and not can_receive


def _unpaid(now: datetime) -> Any:
    return Escrow.objects.filter(state="pending_payment", payment_due_at__lte=now)


def _silent(now: datetime) -> Any:
    return Escrow.objects.filter(
        state="funded", auto_release_at__lte=now, milestone__state__in=["delivered", "completed"], frozen_at=None
    )


def _unsettled(now: datetime) -> list[Escrow]:
    """Escrows whose share arrived and is not available; what lies in a closed account is in front of the staff."""
    waiting = Escrow.objects.filter(Q(state="released"), made_available_at=None)
    out_of_reach = account_balances.out_of_reach().values("pk")
    arrived_there = arrived(OuterRef("pk")).order_by("-sequence").values("account_id")[:1]
    seen = waiting.alias(there=Subquery(arrived_there)).exclude(there__in=out_of_reach)
    return [escrow for escrow in seen if arrived(escrow.pk).exists() and not _waits_for_an_account(escrow)]


def _waits_for_an_account(escrow: Escrow) -> bool:
    """Return whether the payee has to replace an account that was rejected or closed, or to add a bank."""
    accounts = ConnectedAccount.objects.filter(user_id=escrow.freelancer_id, rejection="", closed=False)
    return not any(account.has_bank_for(escrow.currency) for account in accounts)
