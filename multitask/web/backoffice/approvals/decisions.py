"""What a large decision is about, and how it was answered."""

from typing import Final

from multitask.money import Money
from multitask.payments.authorization.approvals import SETTLE, TRANSFER_AGAIN
from multitask.payments.models import Approval, Receivable
from multitask.users.models import User
from multitask.web.backoffice.base import labels, links

WAITING: Final = "waiting"
# The models whose pages show the subjects that are no escrow.
PAGES: Final = {
    "statement_line": "payments.statementline",
    "disbursement": "payments.disbursement",
    "withdrawal": "payments.withdrawal",
    "account": "payments.connectedaccount",
}


def decided_amount(approval: Approval) -> Money:
    """Return the amount that an approval decides about.

    A decision about an escrow has the escrow's currency; any other names its own.
    """
    arguments = approval.arguments
    minor = (
        arguments["client_minor"] + arguments["freelancer_minor"]
        if approval.kind == SETTLE
        else arguments["amount_minor"]
    )
    return Money(minor, currency_of(approval))


def currency_of(approval: Approval) -> str:
    """Return the currency that an approval decides about."""
    named = approval.arguments.get("currency")
    if named is None:
        assert approval.escrow is not None  # noqa: S101
        named = approval.escrow.currency
    return str(named)


def subject_address(approval: Approval) -> str:
    """Return the page of what an approval is about: the escrow's, the person's, the line's, else the list."""
    if approval.escrow_id is not None:
        return links.escrow(approval.escrow_id, f"approval-{approval.pk}")
    found = debtor(approval)
    if found is not None:
        return links.of(found)
    kind, _colon, number = approval.subject.partition(":")
    if kind in PAGES:
        return links.page(PAGES[kind], number)
    return links.listing("payments.approval")


def debtor(approval: Approval) -> User | None:
    """Return the person whose balance or receivable an approval is about, or None."""
    subject, _, number = approval.subject.partition(":")
    if subject == "user":
        return User.objects.filter(pk=int(number)).first()
    if subject == "receivable":
        return User.objects.filter(pk__in=Receivable.objects.filter(pk=int(number)).values("user_id")).first()
    return None


def kind_label(approval: Approval) -> str:
    """Return what an approval decides, in words; a reversal is decided in one of two ways."""
    decision = approval.arguments.get("decision") if approval.kind == TRANSFER_AGAIN else None
    return labels.of("approval_kind", str(decision or approval.kind))


def answer_of(approval: Approval) -> str:
    """Return waiting, approved or turned_down."""
    if approval.approved is None:
        return WAITING
    return "approved" if approval.approved else "turned_down"
