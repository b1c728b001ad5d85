"""Balance transactions: every movement of an account's money, pending until it is available."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.journal import Leg
from sandboxes.stripe import events
from sandboxes.stripe.sandbox import Sandbox

_CATEGORIES = {
    "payment": "charge", "transfer_refund": "transfer_reversal", "payment_refund": "refund",
    "payout_failure": "payout_reversal", "payout_cancel": "payout_reversal", "adjustment": "dispute",
}  # fmt: skip


def record(
    sandbox: Sandbox,
    account: str,
    kind: str,
    *,
    source: str,
    amount: int,
    currency: str,
    counter: tuple[Leg, ...],
    fee: int = 0,
    fee_description: str = "Stripe processing fees",
    available_on: int | None = None,
    description: str | None = None,
    category: str | None = None,
) -> Doc:
    """Record a movement: `amount` is gross and signed; `counter` are the opposite legs, which sum to -amount.

    The fee goes to Stripe. The net is pending until `available_on`.
    """
    now = sandbox.clock.now()
    pending = available_on is not None and available_on > now
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
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": net,
        "reporting_category": category or _CATEGORIES.get(kind, kind),
        "source": source,
        "status": "pending" if pending else "available",
        "type": kind,
    }
    if fee:
        detail = {"amount": fee, "application": None, "currency": currency, "description": fee_description}
        doc["fee_details"] = [{**detail, "type": "stripe_fee"}]
    sandbox.add(doc, account, parent=source)
    sandbox.journal.post(kind, source, currency, (book, net), ("stripe/fees", fee), *counter)
    if pending:
        sandbox.clock.schedule_at("settle", account, doc["available_on"])
    return doc


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
        "connect_reserved": [{"amount": 0, "currency": currency} for currency in currencies],
        "instant_available": [{**row, "net_available": None} for row in column("available")],
        "issuing": None,
        "livemode": False,
        "pending": column("pending"),
        "refund_and_dispute_prefunding": None,
    }
