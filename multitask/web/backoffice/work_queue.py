"""What needs the attention of the staff, as queries: `work_items` counts them, and the lists filter by them."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat

from multitask.payments.books import reconciliation
from multitask.payments.escrow import refund_payouts, stranded
from multitask.payments.escrow import undecided_refunds as open_refunds
from multitask.payments.funding import unnamed_tries as unnamed
from multitask.payments.losses.adjustments import TRANSFER_ADJUSTMENT
from multitask.payments.losses.holds import CONTESTED, HARMLESS
from multitask.payments.models import (
    Chargeback,
    ConnectedAccount,
    Disbursement,
    Escrow,
    FraudWarning,
    Loss,
    Operation,
    PayeeIdentity,
    Payment,
    PayoutBudget,
    Reconciliation,
    Refund,
    Reversal,
    StatementLine,
    Withdrawal,
)
from multitask.payments.operations.engine import OUTCOME_UNKNOWN
from multitask.payments.payouts import account_balances, budget, made_outside, withdrawal_outcomes
from multitask.payments.payouts import undecided_payouts as undecided
from multitask.payments.payouts.reversals import LOSS_REVERSED
from multitask.payments.payouts.transfers import CREATE_REVERSAL, CREATE_TRANSFER, MERGED, NOT_NEEDED, TAKEN_BACK
from multitask.payments.provider import ChargebackStatus
from multitask.payments.reads import payout_budgets
from multitask.payments.states import (
    OPEN_OPERATIONS,
    EscrowState,
    IdentityState,
    LineState,
    OperationState,
    PaymentState,
    RefundState,
    WithdrawalState,
)
from multitask.webhooks.models import EventState, IncomingEvent

# Calls that move money to a payee's account, or back.
_MOVES: Final = (CREATE_TRANSFER, CREATE_REVERSAL, TRANSFER_ADJUSTMENT)
# We ourselves did not send these.
_NOT_REFUSED: Final = (TAKEN_BACK, MERGED, "transfer_failed", LOSS_REVERSED, NOT_NEEDED)
STUCK_AFTER: Final = timedelta(minutes=5)
STUCK_ATTEMPTS: Final = 3
STRANDED_AFTER: Final = timedelta(days=stranded.TELLING_DAYS[0])
SLOW_AFTER: Final = timedelta(minutes=10)
RECENTLY: Final = timedelta(days=30)
# The money of a chargeback that was won comes within this time.
REINSTATED_WITHIN: Final = timedelta(days=7)
# So long before its deadline a chargeback without an answer is urgent.
ANSWER_SOON: Final = timedelta(days=3)


def is_stuck(now: datetime) -> Q:
    """Return the condition of a stuck call: overdue, or tried several times."""
    return Q(next_attempt_at__lt=now - STUCK_AFTER) | Q(next_attempt_at=None) | Q(attempts__gte=STUCK_ATTEMPTS)


def stuck(now: datetime) -> QuerySet[Operation]:
    """Return open calls that are overdue, were tried several times, or wait for staff."""
    found = Operation.objects.filter(is_stuck(now), state__in=sorted(s.value for s in OPEN_OPERATIONS))
    return found.filter(hold__in=["", OUTCOME_UNKNOWN])


def refused_transfers(now: datetime) -> QuerySet[Operation]:
    """Return transfers and reversals that the provider refused permanently and that were not tried again."""
    later = Operation.objects.filter(
        kind=OuterRef("kind"), subject_id=OuterRef("subject_id"), sequence__gt=OuterRef("sequence")
    )
    given_up = Reversal.objects.filter(pk=OuterRef("subject_id")).exclude(given_up_at=None)
    refused = Operation.objects.filter(kind__in=_MOVES, state=OperationState.FAILED.value)
    refused = refused.exclude(Q(kind=CREATE_REVERSAL) & Exists(given_up))
    # What somebody reversed at the provider instead came back.
    refused = refused.exclude(pk__in=made_outside.calls().filter(kind=CREATE_REVERSAL).values("pk"))
    return refused.filter(~Exists(later)).exclude(last_error_code__in=_NOT_REFUSED)


def failed_refunds(now: datetime) -> QuerySet[Refund]:
    """Return failed refunds that were not tried again and whose money is there: in escrow, or in their own account."""
    key = Concat(Value("resend:"), Cast(OuterRef("pk"), CharField()), output_field=CharField())
    again = Refund.objects.filter(escrow=OuterRef("escrow_id"), request_key=key)
    in_escrow = Q(
        escrow__state__in=[EscrowState.FUNDED.value, EscrowState.DISPUTED.value],
        amount_minor__lte=F("escrow__total_minor")
        - F("escrow__released_minor")
        - F("escrow__refunded_minor")
        - F("escrow__charged_back_minor"),
        source="escrow",
        is_outside=False,
    )
    failed = Refund.objects.filter(~Exists(again), state=RefundState.FAILED.value)
    return failed.filter(Q(holds_money=True) | in_escrow)


def undecided_refunds(now: datetime) -> QuerySet[Refund]:
    """Return refunds of which nobody knows whether the provider made them."""
    return open_refunds.found()


def refunds_without_destination(now: datetime) -> QuerySet[Refund]:
    """Return refunds whose client has not named a destination that takes them for a while."""
    return refund_payouts.long_waiting(now)


def refunds_paid_after_failure(now: datetime) -> QuerySet[Disbursement]:
    """Return refunds by payout that were paid after they had failed: the client may have the money twice."""
    return refund_payouts.paid_after_failure()


def undecided_reversals(now: datetime) -> QuerySet[Reversal]:
    """Return reversals that were made at the provider and wait for a decision."""
    return Reversal.objects.filter(is_decided=False)


def under_review(now: datetime) -> QuerySet[Payment]:
    """Return payments that arrived, fit no escrow and are not being sent back."""
    leaving = Refund.objects.filter(payment=OuterRef("pk"), source="unapplied", state=RefundState.PENDING.value)
    return Payment.objects.filter(~Exists(leaving), state=PaymentState.REVIEW.value)


def unnamed_tries(now: datetime) -> QuerySet[Payment]:
    """Return payments of paid orders of which nobody knows which try paid them."""
    return unnamed.found()


def failed_payouts(now: datetime) -> QuerySet[Withdrawal]:
    """Return withdrawals that failed recently; the money is in the wallet again."""
    return Withdrawal.objects.filter(state=WithdrawalState.FAILED.value, failed_at__gte=now - RECENTLY)


def closed_accounts(now: datetime) -> QuerySet[ConnectedAccount]:
    """Return closed payout accounts in which money lies that nobody but the provider can reach."""
    return account_balances.out_of_reach()


def unreadable_payouts(now: datetime) -> QuerySet[Withdrawal]:
    """Return withdrawals under way from accounts that were closed, whose outcome the provider no longer reports."""
    on_their_way = [WithdrawalState.PENDING.value, WithdrawalState.PROCESSING.value]
    return Withdrawal.objects.filter(state__in=on_their_way, account__closed=True)


def short_budgets(now: datetime) -> QuerySet[PayoutBudget]:
    """Return payout budgets for which payouts have waited for a while."""
    return payout_budgets.short(now)


def differing_budgets(now: datetime) -> QuerySet[PayoutBudget]:
    """Return payout budgets of which the provider reports something else than the books hold."""
    return PayoutBudget.objects.filter(differs_since__isnull=False)


def undecided_payouts(now: datetime) -> QuerySet[Disbursement]:
    """Return payouts from the budget of which nobody knows whether the provider made them."""
    return undecided.found()


def waiting_payouts(now: datetime) -> QuerySet[Disbursement]:
    """Return payouts that could leave and that the budget does not cover."""
    return Disbursement.objects.filter(budget.may_be_paid(), ended_at=None, allotted_at=None, usable_from__lte=now)


def paid_after_return(now: datetime) -> QuerySet[Withdrawal]:
    """Return withdrawals that were paid after their money was given back: it may have been paid twice."""
    return withdrawal_outcomes.paid_after_return()


def withheld_payouts(now: datetime) -> QuerySet[Disbursement]:
    """Return payouts to people who must not be paid: not identified, closed, or to a destination that was removed."""
    return budget.withheld(now=now)


def stranded_money(now: datetime) -> QuerySet[Escrow]:
    """Return escrows whose task was called off and whose client has not taken the money back for a day."""
    return stranded.found().filter(stranded_at__lte=now - STRANDED_AFTER)


def slow_events(now: datetime) -> QuerySet[IncomingEvent]:
    """Return webhooks that wait longer than they should."""
    return IncomingEvent.objects.filter(state=EventState.RECEIVED, received_at__lt=now - SLOW_AFTER)


def unreadable_lines(now: datetime) -> QuerySet[StatementLine]:
    """Return statement lines in flight of accounts that were closed, which the provider no longer reports about."""
    return StatementLine.objects.filter(state=LineState.IN_FLIGHT.value, account__account__closed=True)


def open_lines(now: datetime) -> QuerySet[StatementLine]:
    """Return statement lines that nobody has explained."""
    return StatementLine.objects.filter(state=LineState.OPEN.value)


def differences(now: datetime) -> QuerySet[Reconciliation]:
    """Return accounts whose books differ from the provider's."""
    return reconciliation.different()


def contested(now: datetime) -> QuerySet[Chargeback]:
    """Return chargebacks and inquiries that are open, or lost and not booked."""
    return Chargeback.objects.filter(CONTESTED)


def evidence_due(now: datetime) -> QuerySet[Chargeback]:
    """Return chargebacks that have to be answered within `ANSWER_SOON`, or whose time is over."""
    unanswered = Chargeback.objects.filter(status=ChargebackStatus.NEEDS_RESPONSE.value, accepted_at=None)
    return unanswered.filter(evidence_due_at__lte=now + ANSWER_SOON)


def inquiries(now: datetime) -> QuerySet[Chargeback]:
    """Return inquiries that wait for an answer."""
    return Chargeback.objects.filter(status=ChargebackStatus.WARNING_NEEDS_RESPONSE.value)


def unbooked_losses(now: datetime) -> QuerySet[Chargeback]:
    """Return lost chargebacks whose loss nobody has booked."""
    return contested(now).filter(status=ChargebackStatus.LOST.value)


def unexplained_chargebacks(now: datetime) -> QuerySet[Chargeback]:
    """Return chargebacks that are over and of which the bank keeps money that nobody bears, or gave back too much.

    Money of a chargeback that was won may come some days later.
    """
    booked = Loss.objects.filter(chargeback=OuterRef("pk"), reversed_at=None).values("amount_minor")
    over = Chargeback.objects.annotate(booked_minor=Coalesce(Subquery(booked), 0))
    is_won = Q(status__in=[status.value for status in HARMLESS], closed_at__lte=now - REINSTATED_WITHIN)
    is_lost = Q(status=ChargebackStatus.LOST.value) & (Q(booked_minor__gt=0) | Q(taken_minor__lt=0))
    return over.filter(is_won | is_lost).exclude(taken_minor=F("booked_minor"))


def fraud_warnings(now: datetime) -> QuerySet[FraudWarning]:
    """Return fraud warnings that nobody has decided about."""
    return FraudWarning.objects.filter(closed_at=None)


def identities(now: datetime) -> QuerySet[PayeeIdentity]:
    """Return identities that wait for a confirmation."""
    return PayeeIdentity.objects.filter(state=IdentityState.SUBMITTED.value, replaced_at=None)
