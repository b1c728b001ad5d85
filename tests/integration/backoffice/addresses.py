"""Every address of the back office that reads, and every action, for the rows that a scene has made."""

from django.urls import reverse

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
from multitask.web.backoffice.base.site import site
from multitask.webhooks.models import IncomingEvent

FIXED = ["/backoffice/", "/backoffice/find/?q=1", "/backoffice/search/?s=1", "/backoffice/jsi18n/"]
MODELS = (
    Approval, AuditEvent, Chargeback, ConnectedAccount, Dispute, Escrow, Operation, Payment, Refund, Withdrawal,
    Account, Transaction, User, IncomingEvent,
)  # fmt: skip
# What each action applies to, and the lowest role that may do it.
ACTIONS = {
    "release": (Escrow, "finance"),
    "refund": (Escrow, "finance"),
    "settle": (Dispute, "finance"),
    "accept-refund": (Refund, "finance"),
    "refuse-refund": (Refund, "finance"),
    "retry-refund": (Refund, "finance"),
    "retry-transfer": (Escrow, "finance"),
    "return-payment": (Payment, "finance"),
    "approve": (Approval, "finance"),
    "turn-down": (Approval, "finance"),
    "retry-call": (Operation, "finance"),
    "retry-overdue-calls": (None, "finance"),
    "replay": (IncomingEvent, "finance"),
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
