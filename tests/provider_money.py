"""Comparison of the ledger's provider accounts with what the offline provider itself has recorded."""

from collections import defaultdict
from typing import Any

from django.db.models import F, Sum

from multitask.ledger.models import Balance
from multitask.payments.models import ConnectedAccount


def ours() -> dict[str, dict[str, int]]:
    """What the ledger says each provider account holds, in minor units: {"platform" or account id: {currency: sum}}."""
    ids = dict(ConnectedAccount.objects.values_list("pk", "provider_account_id"))
    rows = (
        Balance.objects.filter(account__code__startswith="provider:")
        .values(code=F("account__code"), currency=F("account__currency"))
        .annotate(held=Sum("balance_minor"))
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        *_, name = row["code"].split(":")
        owner = "platform" if name == "balance" else str(ids[int(name)])
        if row["held"]:
            found[owner][row["currency"]] = -row["held"]
    return dict(found)


def theirs(money: dict[str, Any], *, in_flight: bool = True) -> dict[str, dict[str, int]]:
    """What the provider holds in the accounts that the ledger knows, from `/_sandbox/money`, in the same shape.

    `in_flight` adds payouts that have left an account and have not arrived, which the ledger books when they arrive.
    """
    known = set(ConnectedAccount.objects.values_list("provider_account_id", flat=True)) | {money["platform"]}
    found: dict[str, dict[str, int]] = {}
    for owner, columns in money["accounts"].items():
        if owner not in known:
            continue
        sums: dict[str, int] = defaultdict(int)
        for name in ("available", "pending", *(("payouts",) if in_flight else ())):
            for currency, amount in columns.get(name, {}).items():
                sums[currency.upper()] += amount
        held = {currency: amount for currency, amount in sums.items() if amount}
        if held:
            found["platform" if owner == money["platform"] else owner] = held
    return found
