"""Rows by any id or by words: ours, the provider's, a key, an account code, a name, a title; all by indexes."""

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Model, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.urls import reverse
from django.utils.translation import gettext as _

from multitask import providers
from multitask.database import search
from multitask.ledger.models import Account, Transaction
from multitask.marketplace.models import Task
from multitask.payments.funding.payment_results import CREATE_PAYMENT
from multitask.payments.models import (
    Agreement,
    Chargeback,
    ConnectedAccount,
    Customer,
    Disbursement,
    Dispute,
    Escrow,
    HistoryRow,
    Operation,
    Payment,
    Refund,
    SavedMethod,
    Withdrawal,
)
from multitask.payments.operations import references
from multitask.payments.payouts import disbursements
from multitask.payments.provider import IdKind
from multitask.text import folding
from multitask.users import names
from multitask.users.models import User
from multitask.web.backoffice.base import labels, links
from multitask.webhooks.models import IncomingEvent

LONGEST: Final = 255
_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Hit:
    """One row that has the id, and its page."""

    title: str
    kind: str
    address: str


def find(wanted: str) -> list[Hit]:
    """Return everything that has this id, or else the newest people, escrows and tasks with these words."""
    if not wanted or "\x00" in wanted:
        return []
    if re.fullmatch(r"#?[0-9]{1,19}", wanted, re.ASCII):
        # A provider's number may also be one of ours: then both are listed. "#7" is ours alone.
        ours = _by_number(int(wanted.lstrip("#")))
        return ours if wanted.startswith("#") else list(dict.fromkeys([*_by_provider_id(wanted), *ours]))
    known = _as_uuid(wanted)
    if known is not None:
        return _by_uuid(known)
    return list(dict.fromkeys(_by_text(wanted))) or _by_words(wanted)


def _as_uuid(wanted: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(wanted)
    except ValueError:
        return None


def _by_number(number: int) -> list[Hit]:
    """Return the rows with this number; escrows first, as their number is searched for most."""
    models: tuple[type[Model], ...] = (
        Escrow, Withdrawal, Refund, Dispute, Payment, Disbursement, Operation, IncomingEvent, User,
    )  # fmt: skip
    found = [_hits(model._default_manager.filter(pk=number)) for model in models]
    return [hit for hits in found for hit in hits]


def _by_uuid(known: uuid.UUID) -> list[Hit]:
    models: tuple[type[Model], ...] = (Escrow, Refund, Withdrawal, Dispute, HistoryRow)
    for model in models:
        hits = _hits(model._default_manager.filter(public_id=known))
        if hits:
            return hits
    found = [
        *_hits(disbursements.named(known)),
        *_by_provider_id(str(known)),
        *_hits(Transaction.objects.filter(pk=known)),
    ]
    return list(dict.fromkeys(found))


# Who carries an id of this kind at a provider of this name.
_BY_KIND: Final[dict[IdKind, Callable[[str, str], QuerySet[Any]]]] = {
    IdKind.PAYMENT: lambda name, wanted: Payment.objects.filter(provider=name, provider_payment_id=wanted),
    # Stripe has no intentions: its ids have another form.
    IdKind.INTENTION: lambda name, wanted: Payment.objects.filter(
        pk__in=Operation.objects.filter(provider=name, provider_reference=wanted, kind=CREATE_PAYMENT).values(
            "subject_id"
        )
    ),
    IdKind.COLLECTION: lambda name, wanted: Payment.objects.filter(provider=name, provider_collection_id=wanted),
    IdKind.TRANSFER: lambda name, wanted: Operation.objects.filter(provider=name, provider_reference=wanted),
    IdKind.PAYOUT: lambda name, wanted: Withdrawal.objects.filter(provider=name, provider_payout_id=wanted),
    IdKind.DISBURSEMENT: lambda name, wanted: Disbursement.objects.filter(provider=name, provider_payout_id=wanted),
    IdKind.REFUND: lambda name, wanted: Refund.objects.filter(provider=name, provider_refund_id=wanted),
    IdKind.ACCOUNT: lambda name, wanted: ConnectedAccount.objects.filter(provider=name, provider_account_id=wanted),
    IdKind.CUSTOMER: lambda name, wanted: Customer.objects.filter(provider=name, provider_customer_id=wanted),
    IdKind.EVENT: lambda name, wanted: IncomingEvent.objects.filter(provider=name, event_id=wanted).defer("payload"),
    IdKind.DISPUTE: lambda name, wanted: Chargeback.objects.filter(provider=name, provider_dispute_id=wanted),
    IdKind.PAYMENT_METHOD: lambda name, wanted: SavedMethod.objects.filter(
        provider=name, provider_method_id=wanted
    ).select_related("customer"),
}


def _by_provider_id(wanted: str) -> Iterable[Hit]:
    """Return the rows that carry this id of any provider, in all kinds that its form may stand for."""
    for provider in providers.every():
        for kind in sorted(provider.kinds_of_id(wanted)):
            yield from _hits(_BY_KIND[kind](provider.name, wanted))


def _by_text(wanted: str) -> Iterable[Hit]:
    yield from _by_provider_id(wanted)
    if ":" in wanted:
        yield from _by_key(wanted)
    yield from _hits(_people(wanted))


def _by_words(wanted: str) -> list[Hit]:
    """Return the newest rows whose names or titles have words that begin with all of these."""
    query = folding.query(wanted)
    people = User.objects.filter(pk__in=search.newest(User.objects.all(), query, most=_MOST))
    agreed = search.newest(Agreement.objects.all(), query, most=_MOST)
    escrows = Escrow.objects.filter(agreement__in=agreed).select_related("agreement").order_by("-pk")
    posted = Task.objects.filter(pk__in=search.newest(Task.objects.all(), query, most=_MOST))
    return [
        *_hits(people.order_by("-pk")),
        *(Hit(_("Escrow %(id)s") % {"id": each.pk}, each.agreement.title, links.of(each)) for each in escrows[:_MOST]),
        *_hits(posted.order_by("-pk")),
    ]


def _people(wanted: str) -> QuerySet[User]:
    if "@" in wanted:
        return User.objects.filter(email=names.email(wanted) or wanted)
    return User.objects.filter(Exact(Lower("username"), names.folded(wanted)))


def _by_key(wanted: str) -> Iterable[Hit]:
    """Return calls by reference or key, accounts by code, and transactions by key."""
    kind, *_rest = wanted.split(":")
    subject = references.subject_of(":".join(wanted.split(":")[:3]), kind)
    if subject is not None:
        yield from _hits(Operation.objects.filter(kind=kind, subject_id=subject[0], sequence=subject[1]))
    yield from _hits(Account.objects.filter(code=wanted))
    yield from _hits(Transaction.objects.filter(scope="payments", key=wanted))


def _hits(rows: QuerySet[Any]) -> list[Hit]:
    return [_hit(row) for row in rows[:_MOST]]


def _hit(row: Any) -> Hit:
    title, kind, address = _SHOWN[type(row)](row)
    return Hit(str(title), str(kind), address)


def _of_escrow(kind: str) -> Callable[[Any], tuple[Any, str, str]]:
    """Return how a row is shown whose page is its escrow's."""

    def shown(row: Any) -> tuple[Any, str, str]:
        values = {"number": row.pk, "escrow": row.escrow_id}
        titles = {
            "payment": _("Payment %(number)s of escrow %(escrow)s"),
            "refund": _("Refund %(number)s of escrow %(escrow)s"),
            "dispute": _("Dispute %(number)s of escrow %(escrow)s"),
            "chargeback": _("Chargeback %(number)s of escrow %(escrow)s"),
        }
        return titles[kind] % values, str(row), links.escrow(row.escrow_id, f"{kind}-{row.pk}")

    return shown


def _history(row: HistoryRow) -> tuple[Any, str, str]:
    if row.withdrawal_id is not None:
        address = links.page("payments.withdrawal", row.withdrawal_id)
    elif row.escrow_id is not None:
        address = links.escrow(row.escrow_id)
    else:
        address = links.page("users.user", row.user_id)
    return row.description, _("Entry in a wallet's history"), address


_SHOWN: Final[dict[type, Callable[[Any], tuple[Any, Any, str]]]] = {
    Escrow: lambda row: (_("Escrow %(id)s") % {"id": row.pk}, str(row), links.of(row)),
    Withdrawal: lambda row: (_("Withdrawal %(id)s") % {"id": row.pk}, str(row), links.of(row)),
    Disbursement: lambda row: (_("Payout %(id)s") % {"id": row.pk}, str(row), links.of(row)),
    Payment: _of_escrow("payment"),
    Refund: _of_escrow("refund"),
    Dispute: _of_escrow("dispute"),
    Chargeback: _of_escrow("chargeback"),
    Operation: lambda row: (labels.of("operation_kind", row.kind), row.key, links.of(row)),
    IncomingEvent: lambda row: (_("Webhook %(id)s") % {"id": row.pk}, str(row), links.of(row)),
    User: lambda row: (row.username, row.email, links.of(row)),
    Task: lambda row: (row.title, _("Task"), reverse("pages:task", args=[row.pk])),
    ConnectedAccount: lambda row: (str(row), _("Payout account"), links.of(row)),
    Customer: lambda row: (str(row), _("Customer"), links.page("users.user", row.user_id)),
    SavedMethod: lambda row: (str(row), _("Saved card"), links.page("users.user", row.customer.user_id)),
    HistoryRow: _history,
    Account: lambda row: (row.code, row.currency, links.of(row)),
    Transaction: lambda row: (labels.of("posting", row.kind), row.key, links.of(row)),
}
