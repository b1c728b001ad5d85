"""Bank accounts of connected accounts: where payouts go."""

from __future__ import annotations

import re

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param
from sandboxes.kit.identifiers import letters
from sandboxes.stripe import banks, countries, events
from sandboxes.stripe.sandbox import Sandbox


def details(sandbox: Sandbox, token_or_hash: str | Doc, param: str) -> Doc:
    """Return the bank details of a token, or checked raw numbers. Raises 400."""
    if isinstance(token_or_hash, dict):
        return checked(token_or_hash, param)
    if token_or_hash in banks.TOKENS:
        country, currency, routing, number = banks.TOKENS[token_or_hash]
        return {"country": country, "currency": currency, "routing_number": routing, "account_number": number}
    token = sandbox.store.get(token_or_hash, "token")
    if token is None or token["type"] != "bank_account":
        raise bad_param(f"No such token: '{token_or_hash}'", param, "resource_missing")
    if token["used"]:
        raise bad_param(f"You cannot use a token more than once: {token_or_hash}.", param, "token_already_used")
    token["used"] = True
    sandbox.store.save(token)
    return dict(token["_details"])


def checked(given: Doc, param: str) -> Doc:
    """Check raw bank numbers. Raises 400."""
    for name in ("country", "currency", "account_number"):
        if not given.get(name):
            raise bad_param(f"Missing required param: {param}[{name}].", f"{param}[{name}]", "parameter_missing")
    country, number = given["country"].upper(), re.sub(r"[\s-]", "", given["account_number"])
    if country not in countries.CURRENCIES:
        raise bad_param(f"Country '{country}' is unknown or takes no payouts.", f"{param}[country]")
    if country == "US" and not re.fullmatch(r"\d{9}", given.get("routing_number") or ""):
        raise bad_param("The routing number must have 9 digits.", f"{param}[routing_number]", "routing_number_invalid")
    if not re.fullmatch(r"[A-Za-z0-9]{4,34}", number) or (country == "US" and not number.isdigit()):
        raise bad_param("The bank account number is not valid.", f"{param}[account_number]", "account_number_invalid")
    return {**given, "country": country, "account_number": number}


def build(sandbox: Sandbox, found: Doc) -> Doc:
    """Return a bank account document from checked details, not yet attached."""
    number = found["account_number"]
    return {
        "id": sandbox.ids.new("ba_1"),
        "object": "bank_account",
        "account": None,
        "account_holder_name": found.get("account_holder_name"),
        "account_holder_type": found.get("account_holder_type"),
        "account_type": found.get("account_type"),
        "available_payout_methods": ["standard", "instant"] if number in banks.FAILING_INSTANT else ["standard"],
        "bank_name": "STRIPE TEST BANK",
        "country": found["country"],
        "created": sandbox.clock.now(),
        "currency": found["currency"],
        "customer": None,
        "default_for_currency": False,
        "fingerprint": letters(f"bank:{found['country']}:{number}", 16),
        "future_requirements": _nothing_due(),
        "last4": number[-4:],
        "metadata": {},
        "requirements": _nothing_due(),
        "routing_number": found.get("routing_number"),
        "status": "new",
        "_number": number,
    }


def attach(sandbox: Sandbox, account: Doc, token_or_hash: str | Doc, *, param: str, default: bool | None = None) -> Doc:
    """Add a bank account to a connected account; the first of a currency becomes its default."""
    bank = build(sandbox, details(sandbox, token_or_hash, param))
    siblings = of_currency(sandbox, account["id"], bank["currency"])
    bank["account"] = account["id"]
    bank["default_for_currency"] = default or not siblings
    if default:
        undefault(sandbox, siblings)
    bank.pop("created")
    sandbox.add(bank, account["id"], parent=account["id"])
    events.emit(sandbox, "account.external_account.created", bank, account=account["id"])
    return bank


def replace(sandbox: Sandbox, account: Doc, form: dict[str, str]) -> Doc:
    """Add the bank account of a hosted page's form, as the one that payouts go to from now on. Raises 400."""
    given = {
        "country": account["country"],
        "currency": account["default_currency"],
        "account_number": form.get("account_number", "").strip(),
        "routing_number": form.get("routing_number", "").strip() or None,
        "account_holder_name": form.get("account_holder_name", "").strip() or None,
        "account_holder_type": "individual",
    }
    return attach(sandbox, account, checked(given, "external_account"), param="external_account", default=True)


def undefault(sandbox: Sandbox, siblings: list[Doc]) -> None:
    """Make the other bank accounts of a currency not the default."""
    for sibling in siblings:
        sibling["default_for_currency"] = False
        sandbox.store.save(sibling)


def refuse(sandbox: Sandbox, ident: str) -> None:
    """Mark a bank account to which a payout failed: no automatic payout goes there until its details are changed."""
    bank = sandbox.store.get(ident, "bank_account")
    if bank is None or bank["status"] == "errored":
        return
    before = sandbox.render(bank)
    bank["status"] = "errored"
    sandbox.store.save(bank)
    events.emit(sandbox, "account.external_account.updated", bank, account=bank["account"], before=before)


def of_currency(sandbox: Sandbox, account: str, currency: str) -> list[Doc]:
    """Return the bank accounts of an account in one currency."""
    return sandbox.store.find("bank_account", parent=account, where={"currency": currency})


def default(sandbox: Sandbox, account: str, currency: str) -> Doc | None:
    """Return the default bank account of a currency, or None."""
    return next((bank for bank in of_currency(sandbox, account, currency) if bank["default_for_currency"]), None)


def _nothing_due() -> Doc:
    return {"currently_due": [], "errors": [], "past_due": [], "pending_verification": []}
