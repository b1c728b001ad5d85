"""In which currency an account settles what it takes in another."""

from __future__ import annotations

import re

from sandboxes.kit.control.endpoints import Control, Endpoint
from sandboxes.kit.documents import Doc
from sandboxes.stripe import currencies
from sandboxes.stripe.sandbox import Sandbox

_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


async def choose(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """Settle each `currency` in another at a `rate`: {"eur": {"currency": "usd", "rate": "1.0834"}}; {} ends it.

    The rate is text: minor units of the other currency for one of the first. `ident` may be `platform`.
    """
    sandbox = control.sandbox
    rules = {currency: _rule(currency, rule) for currency, rule in given.items()}
    with sandbox.store.transaction():
        account = sandbox.find("account", sandbox.platform if ident == "platform" else ident)
        account["_settlement"] = rules
        sandbox.store.save(account)
        return {"id": account["id"], "settlement": rules}


def _rule(currency: str, rule: object) -> Doc:
    other, rate = (rule.get("currency"), rule.get("rate")) if isinstance(rule, dict) else (None, None)
    if not currencies.known(currency) or not isinstance(other, str) or not currencies.known(other):
        raise ValueError("give a known currency for each known currency")
    if not isinstance(rate, str) or not _RATE.fullmatch(rate) or not rate.strip("0."):
        raise ValueError("rate must be a positive decimal number, as text")
    return {"currency": other, "rate": rate}


ENDPOINTS = (Endpoint("POST", "/_sandbox/accounts/{ident}/settlement", choose),)
