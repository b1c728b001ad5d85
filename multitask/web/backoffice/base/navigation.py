"""The sidebar of the back office."""

from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

_GROUPS: Final = (
    ("", ((_("Overview"), "index", "dashboard"),)),
    (
        _("Money"),
        (
            (_("Escrows"), "payments_escrow_changelist", "lock"),
            (_("Payments"), "payments_payment_changelist", "credit_card"),
            (_("Refunds"), "payments_refund_changelist", "undo"),
            (_("Withdrawals"), "payments_withdrawal_changelist", "account_balance"),
            (_("Payout budgets"), "payments_payoutbudget_changelist", "account_balance_wallet"),
            (_("Payouts from the budget"), "payments_disbursement_changelist", "payments"),
            (_("Settlements, top-ups and costs"), "payments_budgetrecord_changelist", "receipt"),
        ),
    ),
    (
        _("Decisions"),
        (
            (_("Approvals"), "payments_approval_changelist", "approval"),
            (_("Disputes"), "payments_dispute_changelist", "gavel"),
            (_("Chargebacks"), "payments_chargeback_changelist", "credit_card_off"),
            (_("Fraud warnings"), "payments_fraudwarning_changelist", "report"),
            (_("Reversals"), "payments_reversal_changelist", "swap_horiz"),
            (_("Receivables"), "payments_receivable_changelist", "request_quote"),
        ),
    ),
    (
        _("Operations"),
        (
            (_("Calls at the provider"), "payments_operation_changelist", "sync_alt"),
            (_("Webhooks"), "webhooks_incomingevent_changelist", "webhook"),
        ),
    ),
    (
        _("People"),
        (
            (_("Users and staff"), "users_user_changelist", "group"),
            (_("Payout accounts"), "payments_connectedaccount_changelist", "badge"),
            (_("Identities"), "payments_payeeidentity_changelist", "fingerprint"),
            (_("Payout destinations"), "payments_payoutdestination_changelist", "send_money"),
        ),
    ),
    (
        _("Books"),
        (
            (_("Reconciliation"), "payments_reconciliation_changelist", "balance"),
            (_("Statement lines"), "payments_statementline_changelist", "list_alt"),
            (_("Accounts"), "ledger_account_changelist", "menu_book"),
            (_("Transactions"), "ledger_transaction_changelist", "receipt_long"),
            (_("Audit trail"), "payments_auditevent_changelist", "history"),
        ),
    ),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar's groups in the form that Unfold's template reads."""
    return [
        {"title": title, "items": [_item(request, *each) for each in items], "separator": bool(title)}
        for title, items in _GROUPS
    ]


def _item(request: HttpRequest, title: Any, name: str, icon: str) -> dict[str, Any]:
    link = reverse(f"admin:{name}")
    is_active = request.path == link if name == "index" else request.path.startswith(link)
    return {"title": title, "link": link, "icon": icon, "active": is_active, "has_permission": True}
