"""Every address of the back office that reads, and every action, for the rows that a scene has made."""

from django.urls import reverse

from multitask.ledger.models import Account, Transaction
from multitask.payments.models import (
    Adjustment,
    Approval,
    AuditEvent,
    BudgetRecord,
    Chargeback,
    ConnectedAccount,
    Disbursement,
    Dispute,
    Escrow,
    EvidenceFile,
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
from multitask.web.backoffice.base.site import site
from multitask.webhooks.models import IncomingEvent

FIXED = ["/backoffice/", "/backoffice/find/?q=1", "/backoffice/search/?s=1", "/backoffice/jsi18n/"]
MODELS = (
    Approval, AuditEvent, Chargeback, ConnectedAccount, Dispute, Escrow, FraudWarning, Operation, Payment, Receivable,
    PayeeIdentity, PayoutBudget, Disbursement, BudgetRecord, PayoutDestination, Refund, Reversal, Withdrawal,
    Reconciliation, StatementLine, Account, Transaction, User, IncomingEvent,
)  # fmt: skip
# What each action applies to, and the lowest role that may do it.
ACTIONS = {
    "release": (Escrow, "finance"),
    "refund": (Escrow, "finance"),
    "settle": (Dispute, "finance"),
    "accept-refund": (Refund, "finance"),
    "refuse-refund": (Refund, "finance"),
    "retry-refund": (Refund, "finance"),
    "refund-by-bank": (Refund, "finance"),
    "refund-was-paid": (Refund, "finance"),
    "refund-was-not-made": (Refund, "finance"),
    "retry-transfer": (Escrow, "finance"),
    "refund-released": (Escrow, "finance"),
    "give-up-refund": (Refund, "finance"),
    "transfer-again": (Reversal, "finance"),
    "refund-reversed": (Reversal, "finance"),
    "give-up-reversal": (Reversal, "finance"),
    "confirm-identity": (PayeeIdentity, "support"),
    "reject-identity": (PayeeIdentity, "support"),
    "retry-reversal": (Reversal, "finance"),
    "retry-adjustment": (Adjustment, "finance"),
    "adjust": (User, "finance"),
    "write-off": (Receivable, "finance"),
    "return-payment": (Payment, "finance"),
    "name-try": (Payment, "finance"),
    "edit-evidence": (Chargeback, "finance"),
    "add-evidence-file": (Chargeback, "finance"),
    "remove-evidence-file": (EvidenceFile, "finance"),
    "submit-evidence": (Chargeback, "finance"),
    "accept-chargeback": (Chargeback, "finance"),
    "book-loss": (Chargeback, "finance"),
    "refund-warning": (FraudWarning, "finance"),
    "close-warning": (FraudWarning, "finance"),
    "approve": (Approval, "finance"),
    "turn-down": (Approval, "finance"),
    "retry-call": (Operation, "finance"),
    "retry-overdue-calls": (None, "finance"),
    "replay": (IncomingEvent, "finance"),
    "dismiss-webhook": (IncomingEvent, "finance"),
    "explain-line": (StatementLine, "finance"),
    "record-settlement": (PayoutBudget, "finance"),
    "record-top-up": (PayoutBudget, "finance"),
    "record-costs": (PayoutBudget, "finance"),
    "record-credit": (PayoutBudget, "finance"),
    "compare-budget": (PayoutBudget, "finance"),
    "correct-record": (BudgetRecord, "finance"),
    "look-up-payout": (Disbursement, "finance"),
    "payout-was-paid": (Disbursement, "finance"),
    "payout-was-not-made": (Disbursement, "finance"),
    "call-off-withdrawal": (Disbursement, "finance"),
    "explain-paid": (Disbursement, "finance"),
    "withdrawal-was-paid": (Withdrawal, "finance"),
    "withdrawal-was-not-paid": (Withdrawal, "finance"),
    "record-paid-out": (ConnectedAccount, "finance"),
    "staff-role": (User, "admin"),
    "close-account": (User, "admin"),
    "reopen-account": (User, "admin"),
    "second-factor-off": (User, "admin"),
}


def change(row: object, query: str = "") -> str:
    """The page of a row."""
    meta = type(row)._meta  # type: ignore[attr-defined]
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk]) + query  # type: ignore[attr-defined]


def listing(model: type) -> str:
    """The list of a model."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")  # type: ignore[attr-defined]


def action(name: str, subject_id: int | None = None) -> str:
    """The confirmation page of an action."""
    return reverse("admin:action", args=[name] if subject_id is None else [name, subject_id])


def lists() -> list[str]:
    """Every list."""
    return [listing(model) for model in site._registry]


def rows() -> list[str]:
    """The page of one row of each kind that there is."""
    found = [model._default_manager.order_by("pk").first() for model in MODELS]
    return [change(row) for row in found if row is not None]


def actions() -> dict[str, str]:
    """Every action, on the first row that it applies to."""
    found = {}
    for name, (model, _role) in ACTIONS.items():
        row = model._default_manager.order_by("pk").first() if model else None
        if model is None or row is not None:
            found[name] = action(name, row.pk if row else None)
    return found
