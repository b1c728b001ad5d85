"""What the finance staff does about money that came back: losses, reversals, receivables, adjustments."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef

from multitask.money import Money
from multitask.payments.books import receivables
from multitask.payments.escrow import refunds
from multitask.payments.losses import (
    adjustments,
    booking,
    explanations,
    holds,
    late_refunds,
    lost_reversals,
    outside_reversals,
    write_offs,
)
from multitask.payments.losses.explanations import Explanation
from multitask.payments.models import (
    Approval,
    Chargeback,
    ConnectedAccount,
    Loss,
    Operation,
    Refund,
    Reversal,
    StatementLine,
    Withdrawal,
)
from multitask.payments.payouts import closed_accounts, made_outside, reversals, transfers
from multitask.payments.states import OperationState
from multitask.web.backoffice import work_queue
from multitask.webhooks import dismissal
from multitask.webhooks.models import EventState, IncomingEvent
from sandboxes.kit.documents import Doc
from tests.simulation.conditions import OWN_MONEY

# A refusal that no retry of ours changes: the money has left the account at the provider.
GONE = "balance_insufficient"
Do = Callable[..., object]


def lost() -> Iterable[Chargeback]:
    """Return the lost chargebacks whose loss is not booked."""
    return Chargeback.objects.filter(holds.CONTESTED, status="lost", taken_minor__gt=0)


def undecided() -> Iterable[Reversal]:
    """Return the reversals made at the provider that wait for a decision."""
    return Reversal.objects.filter(is_decided=False)


def refused_reversals() -> Iterable[Reversal]:
    """Return the reversals that the provider refused and that a retry may still make."""
    found = Reversal.objects.filter(state="failed").exclude(transfer__state=OperationState.FAILED.value)
    found = found.exclude(loss__reversed_at__isnull=False).filter(given_up_at=None)
    return [row for row in found if refusal(row) != GONE and not made_outside.replaces(row)]


def never_reversed() -> Iterable[Reversal]:
    """Return those of the refused reversals whose account was closed, so that no retry makes them."""
    return [row for row in refused_reversals() if row.account.closed]


def unreadable_events() -> Iterable[IncomingEvent]:
    """Return the events about accounts that were closed, which the provider refuses to tell anything about."""
    closed = ConnectedAccount.objects.filter(closed=True).values("provider_account_id")
    return IncomingEvent.objects.filter(state=EventState.QUARANTINED, account_id__in=closed)


def pending_reversals() -> Iterable[Reversal]:
    """Return the reversals that are under way; those whose money has left the account wait in front of the staff."""
    return [row for row in Reversal.objects.filter(state="pending") if refusal(row) != GONE]


def is_gone(operation: Operation) -> bool:
    """Return whether a call is a reversal that waits for money which has left the payee's account."""
    return operation.kind == transfers.CREATE_REVERSAL and operation.last_error_code == GONE


def refusal(reversal: Reversal) -> str:
    """Return why the provider refused the last call of a reversal."""
    calls = Operation.objects.filter(kind=transfers.CREATE_REVERSAL, subject_id=reversal.pk)
    return str(calls.order_by("-sequence").values_list("last_error_code", flat=True).first() or "")


def failed_late_refunds() -> Iterable[Refund]:
    """Return the refunds after a release that failed and still hold their money."""
    standing = Loss.objects.filter(refund=OuterRef("pk"), reversed_at=None)
    return Refund.objects.filter(Exists(standing), state="failed", source="released", holds_money=True)


def open_lines() -> Iterable[StatementLine]:
    """Return the lines of statements that nobody has explained and nobody has asked to explain."""
    asked = [f"statement_line:{pk}" for pk in StatementLine.objects.filter(state="open").values_list("pk", flat=True)]
    waiting = Approval.objects.filter(subject__in=asked, decided_at=None).values_list("subject", flat=True)
    taken = [int(subject.split(":")[1]) for subject in waiting]
    return StatementLine.objects.filter(state="open").exclude(pk__in=taken)


def is_payout_of(withdrawal: Withdrawal, payout: Doc) -> bool:
    """Return whether an object of the provider is the payout of a withdrawal."""
    reference = f"create_payout:{withdrawal.pk}:"
    is_named = str(payout["metadata"].get("reference", "")).startswith(reference)
    return is_named or payout["id"] == withdrawal.provider_payout_id


class Finance:
    """The part of the staff's work that is about money which came back; `do` runs a command as one of the staff."""

    def __init__(self, story: Any, do: Do) -> None:
        self.story, self._do = story, do

    def work(self) -> int:
        """Work through what waits; return how many rows there were."""
        deeds: tuple[tuple[Callable[[], Iterable[Any]], Callable[[Any], object]], ...] = (
            (lost, self._book),
            (undecided, self._decide),
            (never_reversed, self._give_up),
            (refused_reversals, lambda row: self._do("retry_reversal", reversals.retry, reversal_id=row.pk)),
            (unreadable_events, self._dismiss),
            (self._unreadable_payouts, self._decide_payout),
            (failed_late_refunds, self._answer_refund),
            (open_lines, self._explain),
        )
        found = 0
        for rows, answer in deeds:
            if self.story.is_calm or self.story.chance(0.5):
                for row in list(rows()):
                    found += 1
                    answer(row)
        if not self.story.is_calm and self.story.chance(0.2):
            self._correct()
        if not self.story.is_calm and self.story.befalls(OWN_MONEY, 0.2):
            self._correct_more()
        return found

    def _book(self, chargeback: Chargeback) -> None:
        chargeback_id = chargeback.pk
        self._do("book_loss", booking.book, chargeback_id=chargeback_id)
        if self.story.chance(0.3):
            self._do("book_loss", booking.book, chargeback_id=chargeback_id)
        booked = Loss.objects.filter(chargeback=chargeback_id, reversed_at=None)
        if booked.exists():
            losses = Loss.objects.filter(chargeback=chargeback_id)
            self.story.responses.record(f"loss of chargeback {chargeback_id}", "booked", losses.exists)

    def _decide(self, reversal: Reversal) -> None:
        command = self.story.rng.choice((outside_reversals.transfer_again, outside_reversals.refund_client))
        self._do(command.__name__, command, reversal_id=reversal.pk)

    def _give_up(self, reversal: Reversal) -> None:
        bearer = self.story.fate.choice(lost_reversals.choices(reversal))
        self._do(
            "give_up_reversal", lost_reversals.give_up, reversal_id=reversal.pk, bearer=bearer, note="It was closed"
        )

    def _dismiss(self, event: IncomingEvent) -> None:
        self._do("dismiss_event", dismissal.dismiss, event_id=event.pk, note="Its account was closed")

    def _unreadable_payouts(self) -> Iterable[Withdrawal]:
        return work_queue.unreadable_payouts(datetime.fromtimestamp(self.story.now, UTC))

    def _decide_payout(self, withdrawal: Withdrawal) -> None:
        """Decide as the owner of the account says, once the provider knows how it ended."""
        made = [doc for doc in self.story.provider.some("payout") if is_payout_of(withdrawal, doc)]
        if made and made[0]["status"] not in ("paid", "failed", "canceled"):
            return
        is_paid = bool(made) and made[0]["status"] == "paid"
        self._do(
            "decide_withdrawal", closed_accounts.decide, withdrawal_id=withdrawal.pk, is_paid=is_paid, note="They say"
        )

    def _answer_refund(self, refund: Refund) -> None:
        # A card that refused the retry as well refuses the next one too.
        if not self.story.chance(0.5) or refund.is_outside or refund.request_key.startswith("resend:"):
            self._do("give_up", late_refunds.give_up, refund_id=refund.pk)
        else:
            self._do("retry_refund", refunds.retry, refund_id=refund.pk)

    def _explain(self, line: StatementLine) -> None:
        explanation = self.story.rng.choice(
            (Explanation.PLATFORM_LOSS, Explanation.OWN_MONEY, Explanation.EXCHANGE, Explanation.ADJUSTMENT)
        )
        self._do("explain_line", explanations.explain, line_id=line.pk, explanation=explanation, note="As they wrote")

    def _correct(self) -> None:
        """Adjust a balance, or give up a receivable."""
        account = ConnectedAccount.objects.exclude(provider_account_id=None).order_by("pk").first()
        owed = receivables.open_ones().first()
        if owed is not None and self.story.chance(0.6):
            self._do("write_off", write_offs.write_off, receivable_id=owed.pk, note="Too old")
        elif account is not None:
            amount = Money(self.story.rng.choice((-700, 500, 1_300)), "USD")
            self._do("adjust", adjustments.adjust, user_id=account.user_id, amount=amount, note="Our mistake")

    def _correct_more(self) -> None:
        """Adjust a balance of any currency, sometimes a large one twice, or give up any receivable."""
        rng = self.story.fate
        accounts = ConnectedAccount.objects.exclude(provider_account_id=None).order_by("pk")
        owed = list(receivables.open_ones())
        if owed and rng.random() < 0.5:
            self._do("write_off", write_offs.write_off, receivable_id=rng.choice(owed).pk, note="They went away")
        elif accounts:
            user_id = rng.choice([account.user_id for account in accounts])
            amount = Money(rng.choice((-120_000, -900, 400, 2_500)), rng.choice(("USD", "USD", "EUR", "GBP")))
            self._do("adjust", adjustments.adjust, user_id=user_id, amount=amount, note="Our mistake")
