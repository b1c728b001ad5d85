"""Payouts under `/api/secure/`: pay out, inquire, the budget as a sentence, and requests for more of it.

The amounts are pounds with two decimals. A payout that fails is answered with 200.
"""

from __future__ import annotations

from typing import Any

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.params import Bool, Choice, Int, Param, Str
from sandboxes.kit.routing import route
from sandboxes.paymob import banks, errors, rates
from sandboxes.paymob.amounts import pounds
from sandboxes.paymob.objects import payout as payouts
from sandboxes.paymob.objects import payout_token, topup
from sandboxes.paymob.objects.payment import PHONE
from sandboxes.paymob.resources.fields import Ignored, Pounds, Text, Texts
from sandboxes.paymob.sandbox import Sandbox

PER_PAGE = 50
INQUIRY, BUDGET = "transactions", "budget"
_INQUIRE: dict[str, Param] = {
    "transactions_ids_list": Texts(required=True),
    "bank_transactions": Bool(),
    "page": Int(least=1, most=10_000),
}
_INQUIRE_BY_REFERENCE: dict[str, Param] = {
    "references_list": Texts(required=True),
    "bank_transactions": Bool(),
    "page": Int(least=1, most=10_000),
}
_DISBURSE: dict[str, Param] = {
    "issuer": Choice(*banks.ISSUERS, required=True),
    "amount": Pounds(required=True),
    "msisdn": Str(longest=11),
    "bank_card_number": Text(longest=34),
    "bank_code": Str(longest=4),
    "bank_transaction_type": Choice(*banks.TYPES),
    "full_name": Str(longest=254),
    "national_id": Text(longest=14),
    "client_reference_id": Str(longest=36),
    "client_reference": Text(longest=140),
    "comment": Str(),
    "customer_bears_fees": Bool(),
}


@route(
    "POST",
    "/api/secure/o/token/",
    {
        "grant_type": Choice("password", "refresh_token"),
        "username": Str(),
        "password": Str(),
        "refresh_token": Str(),
        "scope": Str(),
        "client_is_known": Bool(required=True),
    },
)
def issue_token(sandbox: Sandbox, call: Call) -> Doc:
    """Issue tokens for a password or for a refresh token."""
    if not call.params["client_is_known"]:
        raise errors.with_body(401, {"error": "invalid_client"})
    doc = None
    if call.get("grant_type") == "refresh_token":
        doc = payout_token.refresh(sandbox, call.get("refresh_token", ""))
    elif all(call.get(name, "invalid") and not call.get(name, "invalid").startswith("invalid") for name in _LOGIN):
        doc = payout_token.issue(sandbox)
    if doc is None:
        told = {"error": "invalid_grant", "error_description": "Invalid credentials given."}
        raise errors.with_body(400, told)
    return payout_token.shown(doc)


_LOGIN = ("username", "password")


@route("POST", "/api/secure/disburse/", _DISBURSE)
def disburse(sandbox: Sandbox, call: Call) -> Doc:
    """Pay out of the budget."""
    given = {name: value for name, value in call.params.items() if value is not None}
    _check(given)
    return payouts.answered(sandbox, payouts.disburse(sandbox, given))


def _check(given: Doc) -> None:
    issuer = given["issuer"]
    needed = ["msisdn"] if issuer in banks.WALLETS else ["bank_card_number", "bank_code", "full_name"]
    if issuer in ("orange", "bank_wallet"):
        needed.append("full_name")
    if issuer == "bank_card":
        needed.append("bank_transaction_type")
    missing = {name: ["This field is required."] for name in needed if name not in given}
    if missing:
        raise errors.payout(400, missing)
    if "msisdn" in needed and not PHONE.fullmatch(given["msisdn"]):
        raise errors.payout_field("msisdn", "Enter a mobile number of eleven digits that begins with 01.")
    if "bank_code" in needed and given["bank_code"] not in banks.CODES:
        raise errors.payout_field("bank_code", "This bank is not known.")
    if "bank_card_number" in needed and not _is_account(given["bank_card_number"]):
        raise errors.payout_field("bank_card_number", "Enter the number of a card or an account, or an IBAN.")
    least = banks.LEAST.get(issuer, banks.LEAST_OTHERS)
    if given["amount"] < least:
        raise errors.payout_field("amount", f"Ensure this value is greater than or equal to {pounds(least)}.")


def _is_account(number: str) -> bool:
    digits = number.replace("-", "").replace(" ", "")
    return digits.isascii() and digits.isalnum() and len(digits) >= 6


def _inquire(sandbox: Sandbox, call: Call) -> Doc:
    """Return a page of the payouts with the given ids or references; what is not found is left out."""
    rates.count(sandbox, INQUIRY)
    found: dict[str, Doc] = {}
    for reference in call.params["transactions_ids_list"]:
        for doc in payouts.by_reference(sandbox, reference):
            if payouts.is_bank(sandbox, doc) == bool(call.get("bank_transactions", False)):
                found[doc["id"]] = doc
    return _page(sandbox, call, list(found.values()))


def _page(sandbox: Sandbox, call: Call, found: list[Doc]) -> Doc:
    number = call.get("page", 1)
    begin, end = (number - 1) * PER_PAGE, number * PER_PAGE
    if begin and begin >= len(found):
        raise errors.with_body(404, {"detail": "Invalid page."})
    return {
        "count": len(found),
        "next": _link(sandbox, call, number + 1) if end < len(found) else None,
        "previous": _link(sandbox, call, number - 1) if number > 1 else None,
        "results": [sandbox.render(doc) for doc in found[begin:end]],
    }


def _link(sandbox: Sandbox, call: Call, number: int) -> str:
    return f"{sandbox.base_url}{call.path}" + (f"?page={number}" if number > 1 else "")


@route("POST", "/api/secure/transaction/inquire/", _INQUIRE)
def inquire(sandbox: Sandbox, call: Call) -> Doc:
    """Inquire about payouts by their ids or the client's UUIDs."""
    if sandbox.settings.inquiries_by_get:
        rates.count(sandbox, INQUIRY)
        raise errors.detail(405, 'Method "POST" not allowed.')
    return _inquire(sandbox, call)


@route("GET", "/api/secure/transaction/inquire/", _INQUIRE)
def inquire_by_get(sandbox: Sandbox, call: Call) -> Doc:
    """Inquire by GET, whose body or query says the same."""
    return _inquire(sandbox, call)


def _inquire_by_reference(sandbox: Sandbox, call: Call) -> Doc:
    """Return a page of the payouts with the given references, among those by an account number or among the others."""
    rates.count(sandbox, INQUIRY)
    found: dict[str, Any] = {}
    asked = bool(call.get("bank_transactions", False))
    for reference in call.params["references_list"]:
        for doc in payouts.by_reference(sandbox, reference, client_references=True):
            if payouts.is_bank(sandbox, doc) == asked:
                found[doc["id"]] = doc
    return _page(sandbox, call, list(found.values()))


@route("POST", "/api/secure/transaction/inquire/by-reference/", _INQUIRE_BY_REFERENCE)
def inquire_by_reference(sandbox: Sandbox, call: Call) -> Doc:
    """Inquire by the client's references."""
    return _inquire_by_reference(sandbox, call)


@route("GET", "/api/secure/transaction/inquire/by-reference/", _INQUIRE_BY_REFERENCE)
def inquire_by_reference_by_get(sandbox: Sandbox, call: Call) -> Doc:
    """Inquire by the client's references by GET."""
    return _inquire_by_reference(sandbox, call)


@route("GET", "/api/secure/budget/inquire/")
def inquire_budget(sandbox: Sandbox, call: Call) -> Doc:
    """Return what is left of the budget, as a sentence."""
    rates.count(sandbox, BUDGET)
    return {"current_budget": f"Your current budget is {pounds(topup.budget(sandbox))} LE"}


# The others are those of a request that names the balance of collecting; which of them Paymob requires is not known.
@route(
    "POST",
    "/api/secure/topup/request/",
    {"amount": Pounds(required=True), **{name: Ignored() for name in ("type", "currency", "username")}},
    status=201,
)
def request_topup(sandbox: Sandbox, call: Call) -> Doc:
    """Ask for more budget, which Paymob's staff approves."""
    return sandbox.render(topup.request(sandbox, call.params["amount"]))
