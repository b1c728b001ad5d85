"""Every list and every action of the back office. `BackofficeConfig.ready` installs the lists, `urls` both."""

from collections.abc import Mapping
from typing import Final

from django.db.models import Model

from multitask.ledger.models import Account, Transaction
from multitask.payments.models import (
    Approval,
    AuditEvent,
    Chargeback,
    ConnectedAccount,
    Dispute,
    Escrow,
    Operation,
    Payment,
    Refund,
    Withdrawal,
)
from multitask.users.models import User
from multitask.web.backoffice.approvals import actions as approval_actions
from multitask.web.backoffice.approvals.lists import ApprovalList
from multitask.web.backoffice.base.actions import Action
from multitask.web.backoffice.base.lists import ReadOnlyList
from multitask.web.backoffice.books.lists import AccountList, AuditTrailList, TransactionList
from multitask.web.backoffice.escrow import actions as escrow_actions
from multitask.web.backoffice.escrow import refund_actions
from multitask.web.backoffice.escrow.lists import ChargebackList, DisputeList, EscrowList, PaymentList, RefundList
from multitask.web.backoffice.operations import actions as operation_actions
from multitask.web.backoffice.operations.lists import OperationList, WebhookList
from multitask.web.backoffice.payouts.lists import PayoutAccountList, WithdrawalList
from multitask.web.backoffice.people import actions as people_actions
from multitask.web.backoffice.people.lists import UserList
from multitask.webhooks.models import IncomingEvent

LISTS: Final[Mapping[type[Model], type[ReadOnlyList]]] = {
    Escrow: EscrowList,
    Payment: PaymentList,
    Refund: RefundList,
    Dispute: DisputeList,
    Chargeback: ChargebackList,
    Approval: ApprovalList,
    Withdrawal: WithdrawalList,
    ConnectedAccount: PayoutAccountList,
    Operation: OperationList,
    IncomingEvent: WebhookList,
    User: UserList,
    Account: AccountList,
    Transaction: TransactionList,
    AuditEvent: AuditTrailList,
}

_ACTIONS: Final[tuple[type[Action], ...]] = (
    escrow_actions.Release,
    escrow_actions.RefundClient,
    escrow_actions.SettleDispute,
    escrow_actions.ReturnPayment,
    refund_actions.AcceptRefund,
    refund_actions.RefuseRefund,
    refund_actions.RetryRefund,
    approval_actions.Approve,
    approval_actions.TurnDown,
    operation_actions.RetryTransfer,
    operation_actions.RetryCall,
    operation_actions.RetryOverdueCalls,
    operation_actions.ReplayWebhook,
    people_actions.SetRole,
    people_actions.CloseAccount,
    people_actions.ReopenAccount,
    people_actions.RemoveSecondFactor,
)
ACTIONS: Final[Mapping[str, Action]] = {action.name: action() for action in _ACTIONS}
