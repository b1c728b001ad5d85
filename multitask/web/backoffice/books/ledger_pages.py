"""The pages of the ledger, read-only: accounts with their balances, transactions with all their entries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Cast, Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from multitask import ledger
from multitask.ledger.models import Account, Balance, Entry, Transaction
from multitask.money import Money
from multitask.payments.books.postings import SCOPE
from multitask.web.backoffice.base import labels, rendering
from multitask.web.pages.templatetags.money import money

MOST_ENTRIES = 100


@dataclass(frozen=True, slots=True)
class Leg:
    """One entry: the change of one account, negative for a debit."""

    account_id: int
    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Posted:
    """One transaction with its entries, the debits first."""

    id: UUID
    label: str
    key: str
    at: datetime
    legs: list[Leg]


def amount(minor: int, currency: str) -> str:
    """Return an amount of the ledger as people read it."""
    return money(Money(minor, currency))


def with_balances(accounts: QuerySet[Account]) -> QuerySet[Account]:
    """Add each account's balance, summed over its shards, as `held_minor`."""
    held = Balance.objects.filter(account_id=OuterRef("pk")).values("account_id").annotate(total=Sum("balance_minor"))
    total = Cast(Subquery(held.values("total")), BigIntegerField())
    return accounts.annotate(held_minor=Coalesce(total, 0))


def posted_under(keys: Sequence[str]) -> list[Posted]:
    """Return the transactions with these keys of the payments' scope, oldest first. One query."""
    entries = Entry.objects.filter(transaction__scope=SCOPE, transaction__key__in=list(keys))
    return _grouped(entries)


def posted_in(account: str, keys: Sequence[str]) -> list[Posted]:
    """Return the transactions that moved an account's money, and those with these keys, oldest first. One query."""
    moved = Entry.objects.filter(account__code=account).values("transaction_id")
    wanted = Q(transaction_id__in=moved) | Q(transaction__scope=SCOPE, transaction__key__in=list(keys))
    return _grouped(Entry.objects.filter(wanted))


def _grouped(entries: QuerySet[Entry]) -> list[Posted]:
    ordered = entries.select_related("transaction", "account").order_by("transaction_id", "amount_minor", "position")
    found: dict[UUID, Posted] = {}
    for entry in ordered:
        header = entry.transaction
        posted = found.setdefault(
            header.pk, Posted(header.pk, labels.of("posting", header.kind), header.key, header.created_at, [])
        )
        moved = Money(entry.amount_minor, entry.account.currency)
        posted.legs.append(Leg(entry.account_id, entry.account.code, moved))
    return list(found.values())


def keys_of(subjects: Iterable[tuple[str, int]]) -> list[str]:
    """Return the keys of all postings that these escrows, payments, refunds, withdrawals and payouts can have."""
    return [f"{subject}:{number}:{step}" for subject, number in subjects for step in _STEPS[subject]]


_STEPS: dict[str, tuple[str, ...]] = {
    "escrow": ("released", "transferred", "settled"),
    "payment": ("received", "fee"),
    "refund": ("reserved", "paid", "returned", "failed", "carried"),
    "withdrawal": ("requested", "paid", "returned", "failed", "cancelled"),
    "disbursement": ("costs", "costs_returned"),
}


def show_account(request: HttpRequest, account: Any) -> HttpResponse:
    """Show an account with its newest entries."""
    entries = ledger.entries(account.code, account.currency, limit=MOST_ENTRIES)
    context = {"account": account, "held": Money(account.held_minor, account.currency), "entries": entries}
    return rendering.page(request, "books/account.html", account.code, {**context, "most": MOST_ENTRIES})


def show_transaction(request: HttpRequest, header: Transaction) -> HttpResponse:
    """Show a transaction with all its entries."""
    (posted,) = _grouped(Entry.objects.filter(transaction_id=header.pk))
    context = {"header": header, "posted": posted}
    return rendering.page(request, "books/transaction.html", _("Transaction"), context)
