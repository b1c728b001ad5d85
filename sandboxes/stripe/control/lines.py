"""Lines of a balance that no call of the platform causes: adjustments, fees, reserves, and how top-ups end."""

from __future__ import annotations

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.stripe import currencies
from sandboxes.stripe.objects import plain_line
from sandboxes.stripe.objects import topup as topups
from sandboxes.stripe.sandbox import Sandbox


async def write_line(control: Control[Sandbox], given: Doc) -> Doc:
    """Write a line of `type` and a signed `amount` of `currency` on `account` (the platform's), with `description`."""
    sandbox, kind, amount = control.sandbox, given.get("type", "adjustment"), given.get("amount")
    if kind not in plain_line.COUNTERS:
        raise ValueError(f"type must be one of {', '.join(plain_line.COUNTERS)}")
    if isinstance(amount, bool) or not isinstance(amount, int) or amount == 0:
        raise ValueError("amount must be a whole number of minor units, positive or negative")
    currency, words = str(given.get("currency", "usd")).lower(), given.get("description")
    if not currencies.known(currency):
        raise ValueError(f"currency {currency} is unknown")
    with sandbox.store.transaction():
        account = sandbox.find("account", str(given.get("account") or sandbox.platform))["id"]
        line = plain_line.write(sandbox, account, kind, amount, currency, str(words) if words else None)
        return sandbox.render(line)


async def settle_topup(control: Control[Sandbox], _given: Doc, ident: str) -> Doc:
    """Let a top-up arrive now."""
    sandbox = control.sandbox
    with sandbox.store.transaction():
        topups.arrive(sandbox, sandbox.find("topup", ident)["id"])
        return sandbox.render(sandbox.find("topup", ident))


async def fail_topup(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """Fail a pending top-up, or reverse one that arrived."""
    sandbox = control.sandbox
    with sandbox.store.transaction():
        topup = sandbox.find("topup", ident)
        if topup["status"] not in ("pending", "succeeded"):
            raise ValueError(f"the top-up is {topup['status']}")
        return sandbox.render(topups.fail(sandbox, topup, str(given.get("code", "insufficient_funds"))))


ENDPOINTS = (
    Endpoint("POST", "/_sandbox/lines", write_line),
    Endpoint("POST", "/_sandbox/topups/{ident}/settle", settle_topup),
    Endpoint("POST", "/_sandbox/topups/{ident}/fail", fail_topup),
)
