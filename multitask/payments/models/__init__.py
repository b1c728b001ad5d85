"""The tables of `payments`."""

from multitask.payments.models.account import CardToken, ConnectedAccount, Customer, ProviderCall, SavedMethod
from multitask.payments.models.adjustment import Adjustment, AdjustmentReversal
from multitask.payments.models.agreement import Agreement, Milestone
from multitask.payments.models.budget import RECORD_FILE_MAX, BudgetRecord, Disbursement, PayoutBudget, PlatformPayee
from multitask.payments.models.destination import PayeeIdentity, PayoutDestination
from multitask.payments.models.dispute import Approval, Dispute
from multitask.payments.models.escrow import Escrow, Payment, Refund
from multitask.payments.models.evidence import FILE_MAX, Evidence, EvidenceFile
from multitask.payments.models.health import BooksCheck
from multitask.payments.models.history import AuditEvent, EscrowedTotal, HistoryRow, HistoryTotal
from multitask.payments.models.loss import Chargeback, FraudWarning, Loss, Receivable, Reversal
from multitask.payments.models.notice import EmailState, Notice, NoticeCursor
from multitask.payments.models.operation import Operation
from multitask.payments.models.proof import ProofStatement, ProofTree, ProofTreePart
from multitask.payments.models.statement import ProviderAccount, Reconciliation, StatementLine
from multitask.payments.models.withdrawal import Withdrawal

__all__ = [
    "FILE_MAX",
    "RECORD_FILE_MAX",
    "Adjustment",
    "AdjustmentReversal",
    "Agreement",
    "Approval",
    "AuditEvent",
    "BooksCheck",
    "BudgetRecord",
    "CardToken",
    "Chargeback",
    "ConnectedAccount",
    "Customer",
    "Disbursement",
    "Dispute",
    "EmailState",
    "Escrow",
    "EscrowedTotal",
    "Evidence",
    "EvidenceFile",
    "FraudWarning",
    "HistoryRow",
    "HistoryTotal",
    "Loss",
    "Milestone",
    "Notice",
    "NoticeCursor",
    "Operation",
    "PayeeIdentity",
    "Payment",
    "PayoutBudget",
    "PayoutDestination",
    "PlatformPayee",
    "ProofStatement",
    "ProofTree",
    "ProofTreePart",
    "ProviderAccount",
    "ProviderCall",
    "Receivable",
    "Reconciliation",
    "Refund",
    "Reversal",
    "SavedMethod",
    "StatementLine",
    "Withdrawal",
]
