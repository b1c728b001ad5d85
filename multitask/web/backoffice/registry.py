"""Every list and every action of the back office. `BackofficeConfig.ready` installs the lists, `urls` both."""

from collections.abc import Mapping
from typing import Final

from django.db.models import Model

from multitask.ledger.models import Account, Transaction
from multitask.payments.models import (
    Approval,
    AuditEvent,
    BudgetRecord,
    Chargeback,
    ConnectedAccount,
    Disbursement,
    Dispute,
    Escrow,
    FraudWarning,
    Operation,
    PayeeIdentity,
    Payment,
    PayoutBudget,
    PayoutDestination,
    Receivable,
    Reconciliation,
    Refund,
    Reversal,
    StatementLine,
    Withdrawal,
)
from multitask.users.models import User
from multitask.web.backoffice.approvals import actions as approval_actions
from multitask.web.backoffice.approvals.lists import ApprovalList
from multitask.web.backoffice.base.actions import Action
from multitask.web.backoffice.base.lists import ReadOnlyList
from multitask.web.backoffice.books.lists import AccountList, AuditTrailList, TransactionList
from multitask.web.backoffice.chargebacks import actions as chargeback_actions
from multitask.web.backoffice.chargebacks import warning_actions
from multitask.web.backoffice.chargebacks.lists import ChargebackList, FraudWarningList
from multitask.web.backoffice.escrow import actions as escrow_actions
from multitask.web.backoffice.escrow import (
    late_refund_actions,
    payment_actions,
    refund_actions,
    refund_decisions,
    reversal_actions,
)
from multitask.web.backoffice.escrow.lists import (
    DisputeList,
    EscrowList,
    PaymentList,
    RefundList,
    ReversalList,
)
from multitask.web.backoffice.operations import actions as operation_actions
from multitask.web.backoffice.operations.lists import OperationList, WebhookList
from multitask.web.backoffice.payouts import budget_actions, closed_account_actions, disbursement_actions
from multitask.web.backoffice.payouts.budget_lists import BudgetList, BudgetRecordList, DisbursementList
from multitask.web.backoffice.payouts.lists import PayoutAccountList, WithdrawalList
from multitask.web.backoffice.people import actions as people_actions
from multitask.web.backoffice.people import balance_actions, identity_actions
from multitask.web.backoffice.people.lists import UserList
from multitask.web.backoffice.people.payout_details import DestinationList, IdentityList
from multitask.web.backoffice.people.receivables import ReceivableList
from multitask.web.backoffice.reconciliation import actions as reconciliation_actions
from multitask.web.backoffice.reconciliation.lists import ReconciliationList, StatementLineList
from multitask.webhooks.models import IncomingEvent

LISTS: Final[Mapping[type[Model], type[ReadOnlyList]]] = {
    Escrow: EscrowList,
    Payment: PaymentList,
    Refund: RefundList,
    Dispute: DisputeList,
    Chargeback: ChargebackList,
    Reversal: ReversalList,
    Receivable: ReceivableList,
    FraudWarning: FraudWarningList,
    Approval: ApprovalList,
    Withdrawal: WithdrawalList,
    ConnectedAccount: PayoutAccountList,
    PayoutBudget: BudgetList,
    Disbursement: DisbursementList,
    BudgetRecord: BudgetRecordList,
    PayeeIdentity: IdentityList,
    PayoutDestination: DestinationList,
    Operation: OperationList,
    IncomingEvent: WebhookList,
    User: UserList,
    Reconciliation: ReconciliationList,
    StatementLine: StatementLineList,
    Account: AccountList,
    Transaction: TransactionList,
    AuditEvent: AuditTrailList,
}

_ACTIONS: Final[tuple[type[Action], ...]] = (
    escrow_actions.Release,
    escrow_actions.RefundClient,
    escrow_actions.SettleDispute,
    escrow_actions.ReturnPayment,
    payment_actions.NameTry,
    refund_actions.AcceptRefund,
    refund_actions.RefuseRefund,
    refund_actions.RetryRefund,
    refund_actions.RefundByBank,
    refund_decisions.RefundWasPaid,
    refund_decisions.RefundWasNotMade,
    late_refund_actions.RefundReleased,
    late_refund_actions.GiveUpRefund,
    reversal_actions.TransferAgain,
    reversal_actions.RefundReversed,
    reversal_actions.GiveUpReversal,
    chargeback_actions.EditEvidence,
    chargeback_actions.AddEvidenceFile,
    chargeback_actions.RemoveEvidenceFile,
    chargeback_actions.SubmitEvidence,
    chargeback_actions.AcceptChargeback,
    chargeback_actions.BookLoss,
    warning_actions.RefundWarning,
    warning_actions.CloseWarning,
    approval_actions.Approve,
    approval_actions.TurnDown,
    operation_actions.RetryTransfer,
    operation_actions.RetryReversal,
    operation_actions.RetryAdjustment,
    operation_actions.RetryCall,
    operation_actions.RetryOverdueCalls,
    operation_actions.ReplayWebhook,
    operation_actions.DismissWebhook,
    reconciliation_actions.ExplainLine,
    budget_actions.RecordSettlement,
    budget_actions.RecordTopUp,
    budget_actions.RecordCosts,
    budget_actions.RecordCredit,
    budget_actions.CompareBudget,
    budget_actions.CorrectRecord,
    disbursement_actions.CallOffWithdrawal,
    disbursement_actions.ExplainPaid,
    disbursement_actions.LookUpPayout,
    disbursement_actions.PayoutWasPaid,
    disbursement_actions.PayoutWasNotMade,
    closed_account_actions.WithdrawalWasPaid,
    closed_account_actions.WithdrawalWasNotPaid,
    closed_account_actions.RecordPaidOut,
    identity_actions.ConfirmIdentity,
    identity_actions.RejectIdentity,
    balance_actions.Adjust,
    balance_actions.WriteOff,
    people_actions.SetRole,
    people_actions.CloseAccount,
    people_actions.ReopenAccount,
    people_actions.RemoveSecondFactor,
)
ACTIONS: Final[Mapping[str, Action]] = {action.name: action() for action in _ACTIONS}
