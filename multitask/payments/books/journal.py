"""The ledger transactions behind one row of a user's history."""

from dataclasses import dataclass
from datetime import datetime

from multitask.ledger.models import Entry
from multitask.money import Money
from multitask.payments.books.postings import SCOPE
from multitask.payments.models import HistoryRow, Loss


@dataclass(frozen=True, slots=True)
class Leg:
    """One account's part of a transaction: negative is a debit, positive a credit."""

    account: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Posted:
    """One transaction of the ledger, debits first."""

    kind: str
    at: datetime
    legs: list[Leg]


def of_row(row: HistoryRow) -> list[Posted]:
    """Return the transactions behind a row, oldest first. One query, a second one for a chargeback or late refund."""
    keys = [*_keys(row), *_loss_keys(row)]
    entries = Entry.objects.filter(transaction__scope=SCOPE, transaction__key__in=keys)
    found: dict[object, Posted] = {}
    for entry in entries.select_related("transaction", "account").order_by("created_at", "transaction_id", "position"):
        posted = found.setdefault(entry.transaction_id, Posted(entry.transaction.kind, entry.created_at, []))
        posted.legs.append(Leg(entry.account.code, Money(entry.amount_minor, entry.account.currency)))
    for posted in found.values():
        posted.legs.sort(key=lambda leg: leg.amount.amount_minor > 0)
    return list(found.values())


def _loss_keys(row: HistoryRow) -> list[str]:
    """Return the keys of the postings of the loss that a chargeback or a refund after the release caused."""
    subject, number, *_rest = [*row.reference.split(":"), ""]
    if subject == "chargeback":
        losses = Loss.objects.filter(chargeback_id=int(number))
    elif row.reference.endswith(":share"):
        losses = Loss.objects.filter(refund_id=int(number))
    else:
        return []
    return [f"loss:{pk}:{step}" for pk in losses.values_list("pk", flat=True) for step in ("booked", "reversed")]


def _keys(row: HistoryRow) -> list[str]:
    """Return the keys under which `postings` may have posted the row's subject; they begin like its reference."""
    subject, number, *rest = [*row.reference.split(":"), ""]
    if subject == "adjustment" and rest[0] == "reversed":
        return [row.reference]
    steps = {
        "payment": ["received"],
        "escrow": ["released", "settled"] if row.user_id == row.recipient_id else ["released"],
        "refund": ["reserved", "paid", "returned", "failed", "carried"],
        "withdrawal": ["requested", "paid", "returned", "failed", "cancelled"],
        "adjustment": ["booked", "available"],
    }
    return [f"{subject}:{number}:{step}" for step in steps.get(subject, [])]
