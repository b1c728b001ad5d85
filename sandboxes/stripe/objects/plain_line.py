"""Lines of a statement that no object caused: adjustments, Stripe's own fees, reserves."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe.objects import balance_transaction
from sandboxes.stripe.sandbox import Sandbox

# Where the other half of a line goes.
COUNTERS = {
    "adjustment": "stripe/adjustments",
    "stripe_fee": "stripe/fees",
    "reserve_transaction": "{account}/reserved",
}


def write(sandbox: Sandbox, account: str, kind: str, amount: int, currency: str, description: str | None) -> Doc:
    """Write a line of a signed amount in minor units, available at once. `kind` is one of COUNTERS."""
    counter = COUNTERS[kind].format(account=account)
    line = balance_transaction.record(
        sandbox, account, kind, source=None, amount=amount, currency=currency,
        counter=((counter, -amount),), description=description,
    )  # fmt: skip
    balance_transaction.announce(sandbox, account)
    for timer in balance_transaction.AFTER_SETTLING:
        sandbox.clock.schedule(timer, account, 0)
    return line
