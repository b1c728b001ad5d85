"""The tables of `payments`."""

from multitask.payments.models.account import ConnectedAccount, Customer, ProviderCall, SavedMethod
from multitask.payments.models.agreement import Agreement, Milestone
from multitask.payments.models.dispute import Approval, Chargeback, Dispute
from multitask.payments.models.escrow import Escrow, Payment, Refund
from multitask.payments.models.history import AuditEvent, HistoryRow, HistoryTotal
from multitask.payments.models.notice import EmailState, Notice, NoticeCursor
from multitask.payments.models.operation import Operation
from multitask.payments.models.withdrawal import Withdrawal

__all__ = [
    "Agreement",
    "Approval",
    "AuditEvent",
    "Chargeback",
    "ConnectedAccount",
    "Customer",
    "Dispute",
    "EmailState",
    "Escrow",
    "HistoryRow",
    "HistoryTotal",
    "Milestone",
    "Notice",
    "NoticeCursor",
    "Operation",
    "Payment",
    "ProviderCall",
    "Refund",
    "SavedMethod",
    "Withdrawal",
]
