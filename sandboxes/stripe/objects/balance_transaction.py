"""Balance transactions: every movement of an account's money, pending until it is available."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.journal import Leg
from sandboxes.stripe import events
from sandboxes.stripe.objects.exchange import Settled
from sandboxes.stripe.sandbox import Sandbox

# The categories of those types that are not called like their category.
_CATEGORIES = {
    "payment": "charge", "transfer_refund": "transfer_reversal", "payment_refund": "refund",
    "payout_failure": "payout_reversal", "payout_cancel": "payout_reversal", "adjustment": "other_adjustment",
    "stripe_fee": "fee", "reserve_transaction": "connect_reserved_funds",
}  # fmt: skip


def record(
    sandbox: Sandbox,
    account: str,
    kind: str,
    *,
    source: str | None,
    amount: int,
    currency: str,
    counter: tuple[Leg, ...],
    fee: int = 0,
    fee_description: str = "Stripe processing fees",
    fee_book: str = "stripe/fees",
    available_on: int | None = None,
    description: str | None = None,
    category: str | None = None,
    settled: Settled | None = None,
) -> Doc:
    """Record a movement: `amount` is gross and signed; `counter` are the opposite legs, which sum to -amount.

    The fee goes to Stripe. The net is pending until `available_on`. A line that no object caused has no `source`.
    With `settled` it is written in another currency, which is the fee's too.
    """
    now = sandbox.clock.now()
    pending = available_on is not None and available_on > now
    counter, settled = _exchanged(sandbox, kind, source, Settled(amount, currency, None), counter, settled)
    amount, currency = settled.amount, settled.currency
    net = amount - fee
    book = f"{account}/{'pending' if pending else 'available'}"
    doc: Doc = {
        "id": sandbox.ids.new("txn_1"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on if available_on is not None else now,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": description,
        "exchange_rate": settled.shown_rate,
        "fee": fee,
        "fee_details": [],
        "net": net,
        "reporting_category": category or _CATEGORIES.get(kind, kind),
        "source": source,
        "status": "pending" if pending else "available",
        "type": kind,
        "_rate": settled.rate,
    }
    if fee:
        detail = {"amount": fee, "application": None, "currency": currency, "description": fee_description}
        doc["fee_details"] = [{**detail, "type": "stripe_fee"}]
    sandbox.add(doc, account, parent=source)
    sandbox.journal.post(kind, source or doc["id"], currency, (book, net), (fee_book, fee), *counter)
    if pending:
        sandbox.clock.schedule_at("settle", account, doc["available_on"])
    return doc


def _exchanged(
    sandbox: Sandbox,
    kind: str,
    source: str | None,
    given: Settled,
    counter: tuple[Leg, ...],
    settled: Settled | None,
) -> tuple[tuple[Leg, ...], Settled]:
    """Let Stripe exchange the money of a movement; return its opposite legs and its amount in the new currency."""
    if settled is None or settled.rate is None:
        return counter, given
    sandbox.journal.post(kind, str(source), given.currency, ("stripe/exchange", given.amount), *counter)
    return (("stripe/exchange", -settled.amount),), settled


def assign(sandbox: Sandbox, account: str, payout: Doc) -> None:
    """Assign to an automatic payout the settled movements that no earlier one paid out."""
    free = (("json_extract(doc, '$.status') = ? AND json_extract(doc, '$._payout') IS NULL", "available"),)
    where = {"currency": payout["currency"]}
    for doc in sandbox.store.find("balance_transaction", account=account, where=where, conditions=free):
        doc["_payout"] = payout["id"]
        sandbox.store.save(doc)


def of(sandbox: Sandbox, doc: Doc, field: str = "balance_transaction") -> Doc:
    """Return the balance transaction of an object."""
    return sandbox.find("balance_transaction", doc[field] or doc.get("_balance_transaction", ""))


def available(sandbox: Sandbox, account: str, currency: str) -> int:
    """Return what an account can use now, in minor units."""
    return sandbox.journal.balance(f"{account}/available", currency)


def pending(sandbox: Sandbox, account: str, currency: str) -> int:
    """Return what an account will be able to use later, in minor units."""
    return sandbox.journal.balance(f"{account}/pending", currency)


def settle_due(sandbox: Sandbox, account: str) -> None:
    """Make due pending funds available, with one event for all of them."""
    _release(sandbox, account, sandbox.clock.now())


def settle_now(sandbox: Sandbox, account: str | None) -> int:
    """Make all pending funds available, of one account or of all; return the number of movements."""
    rows = sandbox.store.db.execute("SELECT DISTINCT account FROM docs WHERE kind = 'balance_transaction'").fetchall()
    owners = [account] if account else [row["account"] for row in rows]
    return sum(_release(sandbox, owner, None) for owner in owners)


def _release(sandbox: Sandbox, account: str, until: int | None) -> int:
    due = sandbox.store.find("balance_transaction", account=account, conditions=((PENDING, 0),))
    due = [doc for doc in due if until is None or doc["available_on"] <= until]
    for doc in due:
        doc["status"] = "available"
        doc["available_on"] = min(doc["available_on"], sandbox.clock.now())
        sandbox.store.save(doc)
        sandbox.journal.post(
            "settle", doc["id"], doc["currency"],
            (f"{account}/pending", -doc["net"]), (f"{account}/available", doc["net"]),
        )  # fmt: skip
    # An account whose movements sum to zero may be deleted before they settle.
    if due and sandbox.store.get(account, "account"):
        announce(sandbox, account)
        for kind in AFTER_SETTLING:
            sandbox.clock.schedule(kind, account, 0)
    return len(due)


# The same expression as in the index of pending documents, so that a settlement uses that index.
PENDING = "json_extract(doc, '$.status') = 'pending' AND seq > ?"
AFTER_SETTLING = ("payouts.automatic", "refunds.retry")


def announce(sandbox: Sandbox, account: str) -> None:
    """Emit balance.available."""
    events.emit(sandbox, "balance.available", balance(sandbox, account), account=account)


def balance(sandbox: Sandbox, account: str) -> Doc:
    """Return the balance object of an account."""
    held = sandbox.journal.balances(f"{account}/")
    default = str(sandbox.find("account", account)["default_currency"])
    currencies = sorted({currency for sums in held.values() for currency in sums} | {default})

    def column(book: str) -> list[Doc]:
        sums = held.get(f"{account}/{book}", {})
        return [
            {"amount": sums.get(currency, 0), "currency": currency, "source_types": {"card": sums.get(currency, 0)}}
            for currency in currencies
        ]

    return {
        "object": "balance",
        "available": column("available"),
        "connect_reserved": [{"amount": row["amount"], "currency": row["currency"]} for row in column("reserved")],
        "instant_available": [
            {**row, "amount": max(row["amount"], 0), "net_available": None} for row in column("available")
        ],
        "issuing": None,
        "livemode": False,
        "pending": column("pending"),
        "refund_and_dispute_prefunding": None,
    }
