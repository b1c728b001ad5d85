"""The handler of each kind of operation and of approved decision. `PaymentsConfig.ready` installs them."""

from collections.abc import Mapping
from typing import Final

from multitask.payments.authorization import approvals
from multitask.payments.escrow import disputes, refund_outcomes, refunds, releases
from multitask.payments.funding import cancellations, customers, intents, payment_results, unapplied_payments
from multitask.payments.operations.handler import Handler
from multitask.payments.payouts import onboarding, transfers, withdrawals

HANDLERS: Final[Mapping[str, Handler]] = {
    customers.CREATE_CUSTOMER: customers.CreateCustomer(),
    payment_results.CREATE_PAYMENT: intents.CreatePayment(),
    cancellations.CANCEL_PAYMENT: cancellations.CancelPayment(),
    refund_outcomes.CREATE_REFUND: refund_outcomes.CreateRefund(),
    onboarding.CREATE_ACCOUNT: onboarding.CreateAccount(),
    transfers.CREATE_TRANSFER: transfers.CreateTransfer(),
    withdrawals.CREATE_PAYOUT: withdrawals.CreatePayout(),
}

CARRIERS: Final[Mapping[str, approvals.Carrier]] = {
    approvals.RELEASE: releases.carry_out,
    approvals.REFUND: refunds.carry_out,
    approvals.RETRY_REFUND: refunds.carry_out_retry,
    approvals.SETTLE: disputes.carry_out,
    approvals.RETRY_TRANSFER: transfers.carry_out_retry,
    approvals.RETURN_PAYMENT: unapplied_payments.carry_out,
}
