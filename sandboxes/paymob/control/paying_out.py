"""What banks and Paymob's staff do with payouts: how they end, top-ups of the budget, the address of callbacks."""

from __future__ import annotations

import re

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.paymob import banks
from sandboxes.paymob.objects import payout as payouts
from sandboxes.paymob.objects import topup
from sandboxes.paymob.sandbox import Sandbox

RULE: Doc = {"outcome": None, "code": None, "issuer": None, "destination": None, "count": 1}
DECISIONS = ("succeed", "fail", "return", "unknown")
CODE = re.compile(r"[0-9]{1,6}")


async def choose(control: Control[Sandbox], given: Doc) -> Doc:
    """Choose how the next `count` payouts end, of an `issuer` or to a `destination`: `outcome`, with a `code`."""
    rule = {**RULE, **given}
    if given.keys() - RULE.keys() or rule["outcome"] not in banks.OUTCOMES:
        raise ValueError(f"a rule takes {', '.join(RULE)}; outcome is one of {', '.join(banks.OUTCOMES)}")
    if isinstance(rule["count"], bool) or not isinstance(rule["count"], int) or rule["count"] < 1:
        raise ValueError("count must be a whole number from 1")
    if rule["issuer"] is not None and rule["issuer"] not in banks.ISSUERS:
        raise ValueError(f"issuer must be one of {', '.join(banks.ISSUERS)}")
    rule["code"] = _code(rule["code"])
    sandbox = control.sandbox
    with sandbox.store.transaction():
        sandbox.keep({"id": sandbox.ids.new("rule_"), "object": "payout_rule", **rule})
    return rule


async def forget(control: Control[Sandbox], _given: Doc) -> Doc:
    """Remove what was chosen about payouts that have not come yet."""
    store = control.sandbox.store
    with store.transaction():
        rules = store.find("payout_rule")
        for rule in rules:
            store.delete(rule["id"])
        return {"removed": len(rules)}


async def decide(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """End a payout now: `outcome` is succeed, fail, return or unknown, with a `code`; `ident` may be a reference."""
    sandbox, outcome = control.sandbox, given.get("outcome")
    if outcome not in DECISIONS:
        raise ValueError(f"outcome must be one of {', '.join(DECISIONS)}")
    with sandbox.store.transaction():
        found = payouts.by_reference(sandbox, ident, client_references=True)
        doc = found[0] if found else sandbox.find("payout", ident)
        return sandbox.render(payouts.decide(sandbox, doc, outcome, _code(given.get("code"))))


async def top_up(control: Control[Sandbox], given: Doc) -> Doc:
    """Top the budget up by `amount` piastres, requested and approved at once."""
    amount = given.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < 1:
        raise ValueError("amount must be a whole number of piastres")
    sandbox = control.sandbox
    with sandbox.store.transaction():
        return sandbox.render(topup.decide(sandbox, topup.request(sandbox, amount), approved=True))


async def approve(control: Control[Sandbox], _given: Doc, number: str) -> Doc:
    """Approve a requested top-up."""
    return _decided(control.sandbox, number, approved=True)


async def reject(control: Control[Sandbox], _given: Doc, number: str) -> Doc:
    """Reject a requested top-up."""
    return _decided(control.sandbox, number, approved=False)


def _decided(sandbox: Sandbox, number: str, *, approved: bool) -> Doc:
    with sandbox.store.transaction():
        asked = sandbox.find("topup", f"topup_{number}")
        return sandbox.render(topup.decide(sandbox, asked, approved=approved))


async def set_callback(control: Control[Sandbox], given: Doc) -> Doc:
    """Set the address of the callbacks of payouts to `url`, or back to that of the settings with null."""
    url = given.get("url")
    if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://"))):
        raise ValueError("url must be an address with http:// or https://, or null")
    with control.sandbox.store.transaction():
        control.sandbox.store.remember("payout_callback_url", url)
    return {"url": url}


async def list_destinations(_control: Control[Sandbox], _given: Doc) -> Doc:
    """Return the endings of destinations and the outcome of each, and the banks."""
    endings = {f"000000{digit}": outcome for digit, outcome in banks.MAGIC.items()}
    return {"endings": endings, "outcomes": list(banks.OUTCOMES), "banks": list(banks.CODES)}


def _code(given: object) -> str | None:
    if given is not None and not (isinstance(given, str) and CODE.fullmatch(given)):
        raise ValueError("code must be a text of up to six digits")
    return given


ENDPOINTS = (
    Endpoint("POST", "/_sandbox/payouts/outcomes", choose),
    Endpoint("DELETE", "/_sandbox/payouts/outcomes", forget),
    Endpoint("POST", "/_sandbox/payouts/{ident}", decide),
    Endpoint("POST", "/_sandbox/topups", top_up),
    Endpoint("POST", "/_sandbox/topups/{number}/approve", approve),
    Endpoint("POST", "/_sandbox/topups/{number}/reject", reject),
    Endpoint("POST", "/_sandbox/payout_callback", set_callback),
    Endpoint("GET", "/_sandbox/destinations", list_destinations),
)
