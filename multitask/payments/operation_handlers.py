"""The handler of each kind of operation and of approved decision. `PaymentsConfig.ready` installs them."""

from collections.abc import Mapping
from typing import Final

from multitask.payments.authorization import approvals
from multitask.payments.escrow import (
    disputes,
    refund_outcomes,
    refund_payouts,
    refunds,
    refunds_by_bank,
    releases,
    undecided_refunds,
)
from multitask.payments.funding import cancellations, customers, intents, payment_results, unapplied_payments
from multitask.payments.losses import (
    acceptance,
    adjustments,
    booking,
    evidence_calls,
    explanations,
    late_refunds,
    lost_reversals,
    outside_reversals,
    write_offs,
)
from multitask.payments.operations.handler import Handler
from multitask.payments.payouts import (
    budget,
    closed_accounts,
    disbursements,
    former_accounts,
    onboarding,
    reversals,
    transfer_retries,
    transfers,
    undecided_payouts,
    withdrawal_cancellation,
    withdrawal_outcomes,
    withdrawals,
)

HANDLERS: Final[Mapping[str, Handler]] = {
    customers.CREATE_CUSTOMER: customers.CreateCustomer(),
    payment_results.CREATE_PAYMENT: intents.CreatePayment(),
    cancellations.CANCEL_PAYMENT: cancellations.CancelPayment(),
    refund_outcomes.CREATE_REFUND: refund_outcomes.CreateRefund(),
    onboarding.CREATE_ACCOUNT: onboarding.CreateAccount(),
    former_accounts.CLOSE_ACCOUNT: former_accounts.CloseAccount(),
    transfers.CREATE_TRANSFER: transfers.CreateTransfer(),
    transfers.CREATE_REVERSAL: reversals.CreateReversal(),
    adjustments.TRANSFER_ADJUSTMENT: adjustments.TransferAdjustment(),
    evidence_calls.UPLOAD_EVIDENCE: evidence_calls.UploadEvidence(),
    evidence_calls.SUBMIT_EVIDENCE: evidence_calls.SubmitEvidence(),
    acceptance.ACCEPT_CHARGEBACK: acceptance.AcceptChargeback(),
    withdrawal_outcomes.CREATE_PAYOUT: withdrawals.CreatePayout(),
    budget.DISBURSE: disbursements.Disburse(),
    budget.DISBURSE_REFUND: refund_payouts.DisburseRefund(),
    withdrawal_cancellation.CANCEL_PAYOUT: withdrawal_cancellation.CancelPayout(),
}

EXECUTORS: Final[Mapping[str, approvals.Executor]] = {
    approvals.RELEASE: releases.carry_out,
    approvals.REFUND: refunds.carry_out,
    approvals.RETRY_REFUND: refunds.carry_out_retry,
    approvals.REFUND_BY_BANK: refunds_by_bank.carry_out,
    approvals.DECIDE_REFUND: undecided_refunds.carry_out,
    approvals.SETTLE: disputes.carry_out,
    approvals.RETRY_TRANSFER: transfer_retries.carry_out_retry,
    approvals.RETURN_PAYMENT: unapplied_payments.carry_out,
    approvals.BOOK_LOSS: booking.carry_out,
    approvals.ACCEPT_CHARGEBACK: acceptance.carry_out,
    approvals.LATE_REFUND: late_refunds.carry_out,
    approvals.GIVE_UP_REFUND: late_refunds.carry_out_giving_up,
    approvals.GIVE_UP_REVERSAL: lost_reversals.carry_out,
    approvals.TRANSFER_AGAIN: outside_reversals.carry_out,
}

# Decisions that concern no escrow.
SUBJECT_EXECUTORS: Final[Mapping[str, approvals.SubjectExecutor]] = {
    approvals.EXPLAIN_LINE: explanations.carry_out,
    approvals.WRITE_OFF: write_offs.carry_out,
    approvals.ADJUST: adjustments.carry_out,
    approvals.DECIDE_PAYOUT: undecided_payouts.carry_out,
    approvals.DECIDE_WITHDRAWAL: closed_accounts.carry_out_decision,
    approvals.RECORD_PAYOUT: closed_accounts.carry_out_record,
}
