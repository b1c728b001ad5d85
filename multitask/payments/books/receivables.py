"""What payees owe the platform, and its recovery from later releases."""

from collections.abc import Collection

from django.db.models import F, QuerySet, Sum

from multitask.money import Money
from multitask.payments.models import Receivable

# What of a receivable is not owed any more.
SETTLED = F("recovered_minor") + F("written_off_minor") + F("cancelled_minor")


def open_ones() -> QuerySet[Receivable]:
    """Select receivables of which something is still owed, oldest first."""
    return Receivable.objects.filter(amount_minor__gt=SETTLED).order_by("pk")


def owed(user_id: int, currency: str) -> Money:
    """Return what a payee owes in one currency."""
    rows = open_ones().filter(user_id=user_id, currency=currency)
    total = rows.aggregate(total=Sum(F("amount_minor") - SETTLED))["total"]
    return Money(int(total or 0), currency)


def of(user_id: int) -> QuerySet[Receivable]:
    """Select a payee's receivables, open and settled, newest first."""
    return Receivable.objects.filter(user_id=user_id).select_related("loss", "adjustment", "reversal").order_by("-pk")


def net(user_id: int, share: Money, *, first: Collection[int] = ()) -> Money:
    """Use a share to pay what the payee owes, those in `first` before the others and then oldest first.

    Return how much of it was used. The rows are locked, so that two releases never pay the same receivable.
    """
    left = share
    rows = open_ones().filter(user_id=user_id, currency=share.currency)
    for row in sorted(rows.select_for_update(no_key=True), key=lambda row: row.pk not in first):
        paid = min(left, row.owed)
        if not paid.amount_minor:
            break
        row.recovered_minor += paid.amount_minor
        row.save(update_fields=["recovered_minor"])
        left = left - paid
    return share - left
