"""Payouts from the budget: to a wallet, a bank account or a card. They cannot be cancelled.

The budget is charged with the amount, the fee and the VAT of the fee when a payout is accepted, and has all of it back
when the payout fails. Money that comes back after success is added to the budget without the fee.
"""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.paymob import banks, callbacks, errors, times
from sandboxes.paymob.amounts import CURRENCY, pounds, share
from sandboxes.paymob.objects import topup
from sandboxes.paymob.sandbox import Sandbox

IN_TRANSIT = "payouts/in_transit"
FEES, VAT = "paymob/payout_fees", "paymob/payout_vat"
OVER_BUDGET = "Sorry, the amount to be disbursed exceeds you budget limit, please contact your support team"
PENDING, SUCCESSFUL, FAILED, UNKNOWN, RETURNED = "pending", "successful", "failed", "unknown", "returned"
REFERENCES = ("client_reference_id", "client_reference")


def disburse(sandbox: Sandbox, given: Doc) -> Doc:
    """Pay out. Raises 400 for a reference that was used, and when the budget does not suffice."""
    issuer, amount = given["issuer"], given["amount"]
    _check_references(sandbox, given)
    fees, vat = _costs(sandbox, amount)
    bears = given.get("customer_bears_fees", False)
    if bears and fees + vat >= amount:
        raise errors.payout_field("amount", "The amount does not cover the fees.")
    charged = amount if bears else amount + fees + vat
    destination = given["msisdn"] if issuer in banks.WALLETS else given["bank_card_number"]
    outcome, code = _chosen(sandbox, issuer, destination)
    if charged > topup.budget(sandbox) or outcome == "exceeds_budget":
        raise errors.payout(400, OVER_BUDGET)
    doc: Doc = {
        "id": sandbox.ids.uuid(),
        "object": "payout",
        "created": sandbox.clock.now(),
        "given": given,
        "issuer": issuer,
        "destination": destination,
        "amount": amount,
        "charged": charged,
        "fees": fees,
        "vat": vat,
        "status": PENDING,
        "code": banks.RECEIVED,
        "outcome": outcome,
        "end_code": code,
        "_moment": sandbox.clock.exact(),
        "_updated": sandbox.clock.exact(),
    }
    sandbox.keep(doc)
    _claim_references(sandbox, doc)
    sandbox.journal.post("payout", doc["id"], CURRENCY, (topup.BUDGET, -charged), (IN_TRANSIT, charged))
    _begin(sandbox, doc)
    return doc


def _begin(sandbox: Sandbox, doc: Doc) -> None:
    over = doc["issuer"] in banks.WALLETS and doc["amount"] > banks.MOST_PER_PAYOUT
    if over:
        _fail(sandbox, doc, "583")
    elif banks.OUTCOMES[doc["outcome"]].waits:
        sandbox.clock.schedule("payout.advance", doc["id"], sandbox.settings.payout_after / 3)
    else:
        _end(sandbox, doc)


def advance(sandbox: Sandbox, ident: str) -> None:
    """Take a pending payout one step further: received, processing, awaiting the receiving bank, ended."""
    doc = sandbox.find("payout", ident)
    if doc["status"] != PENDING:
        return
    if doc["code"] == banks.AWAITING:
        if banks.OUTCOMES[doc["outcome"]].end != PENDING:
            _end(sandbox, doc)
        return
    doc["code"] = banks.STEPS[banks.STEPS.index(doc["code"]) + 1]
    _save(sandbox, doc)
    sandbox.clock.schedule("payout.advance", ident, sandbox.settings.payout_after / 3)


def _end(sandbox: Sandbox, doc: Doc) -> None:
    end = banks.OUTCOMES[doc["outcome"]].end
    if end == FAILED:
        _fail(sandbox, doc, doc["end_code"] or banks.failure(doc["issuer"]))
    elif end == UNKNOWN:
        doc |= {"status": UNKNOWN, "code": doc["end_code"] or banks.UNKNOWN_CODE}
        _save(sandbox, doc)
    else:
        _succeed(sandbox, doc)
        if end == RETURNED:
            sandbox.clock.schedule("payout.return", doc["id"], sandbox.settings.return_after)


def _succeed(sandbox: Sandbox, doc: Doc) -> None:
    doc |= {"status": SUCCESSFUL, "code": "200" if doc["issuer"] in banks.AT_ONCE else banks.SETTLED}
    sandbox.journal.post(
        "payout_paid", doc["id"], CURRENCY,
        (IN_TRANSIT, -doc["charged"]), (recipients(doc), _received(doc)), (FEES, doc["fees"]), (VAT, doc["vat"]),
    )  # fmt: skip
    _save(sandbox, doc)
    _announce(sandbox, doc)


def _fail(sandbox: Sandbox, doc: Doc, code: str) -> None:
    charged = doc["charged"]
    doc |= {"status": FAILED, "code": code, "fees": 0, "vat": 0}
    sandbox.journal.post("payout_failed", doc["id"], CURRENCY, (IN_TRANSIT, -charged), (topup.BUDGET, charged))
    _save(sandbox, doc)
    _announce(sandbox, doc)


def come_back(sandbox: Sandbox, ident: str) -> None:
    """Bring the money of a payout back that had succeeded."""
    doc = sandbox.find("payout", ident)
    if doc["status"] == SUCCESSFUL:
        _return(sandbox, doc, doc["end_code"] or banks.RETURNED_CODE)


def _return(sandbox: Sandbox, doc: Doc, code: str) -> None:
    received = _received(doc)
    doc |= {"status": RETURNED, "code": code}
    sandbox.journal.post("payout_returned", doc["id"], CURRENCY, (recipients(doc), -received), (topup.BUDGET, received))
    _save(sandbox, doc)
    _announce(sandbox, doc)


def decide(sandbox: Sandbox, doc: Doc, outcome: str, code: str | None) -> Doc:
    """End a payout: succeed, fail or unknown while it is pending or unknown, return after success. Raises 409."""
    allowed = (SUCCESSFUL,) if outcome == "return" else (PENDING, UNKNOWN)
    if doc["status"] not in allowed:
        raise ApiError(409, f"the payout is {doc['status']}")
    for kind in ("payout.advance", "payout.return"):
        sandbox.clock.cancel(kind, doc["id"])
    if outcome == "succeed":
        _succeed(sandbox, doc)
    elif outcome == "fail":
        _fail(sandbox, doc, code or banks.failure(doc["issuer"]))
    elif outcome == "return":
        _return(sandbox, doc, code or banks.RETURNED_CODE)
    else:
        doc |= {"status": UNKNOWN, "code": code or banks.UNKNOWN_CODE}
        _save(sandbox, doc)
    return doc


def recipients(doc: Doc) -> str:
    """Return the book of those who are paid by an issuer."""
    return f"recipients/{doc['issuer']}"


def _received(doc: Doc) -> int:
    return int(doc["charged"] - doc["fees"] - doc["vat"])


def _save(sandbox: Sandbox, doc: Doc) -> None:
    doc["_updated"] = sandbox.clock.exact()
    sandbox.store.save(doc)


def _announce(sandbox: Sandbox, doc: Doc) -> None:
    # Vodafone and Etisalat answer with the result, so they have no callbacks.
    if doc["issuer"] in banks.SECOND_STORE:
        callbacks.of_payout(sandbox, render(sandbox, doc))


def _costs(sandbox: Sandbox, amount: int) -> tuple[int, int]:
    settings = sandbox.settings
    fees = share(amount, settings.payout_fee_basis_points) + settings.payout_fee_fixed
    return fees, share(fees, settings.vat_basis_points)


def _chosen(sandbox: Sandbox, issuer: str, destination: str) -> tuple[str, str | None]:
    """Return how a payout will end and with which code: by the first rule that fits it, or by its destination."""
    for rule in sandbox.store.find("payout_rule"):
        if rule["issuer"] in (None, issuer) and rule["destination"] in (None, destination):
            rule["count"] -= 1
            if rule["count"]:
                sandbox.store.save(rule)
            else:
                sandbox.store.delete(rule["id"])
            return rule["outcome"], rule["code"]
    return banks.outcome(issuer, destination), None


def _store(issuer: str) -> int:
    return 2 if issuer in banks.SECOND_STORE else 1


def _check_references(sandbox: Sandbox, given: Doc) -> None:
    for name in REFERENCES:
        value = given.get(name)
        if value and sandbox.store.get(_slot(name, given["issuer"], value)):
            raise errors.payout_field(name, f"{name} {value} is used before.")


def _claim_references(sandbox: Sandbox, doc: Doc) -> None:
    for name in REFERENCES:
        if value := doc["given"].get(name):
            slot = _slot(name, doc["issuer"], value)
            sandbox.keep({"id": slot, "object": "payout_reference", "payout": doc["id"]})


def _slot(name: str, issuer: str, value: str) -> str:
    return f"{name}/{_store(issuer)}/{value}"


def by_reference(sandbox: Sandbox, reference: str, *, client_references: bool = False) -> list[Doc]:
    """Return the payouts with an id or a reference of the client's."""
    found = {}
    own = sandbox.store.get(reference, "payout")
    if own:
        found[own["id"]] = own
    for name in REFERENCES if client_references else REFERENCES[:1]:
        for issuer in ("vodafone", "bank_card"):
            slot = sandbox.store.get(_slot(name, issuer, reference), "payout_reference")
            if slot:
                found[slot["payout"]] = sandbox.find("payout", slot["payout"])
    return list(found.values())


def is_bank(sandbox: Sandbox, doc: Doc) -> bool:
    """Return whether an inquiry finds a payout under `bank_transactions`."""
    by_setting = doc["issuer"] == "bank_wallet" and sandbox.settings.bank_wallets_are_bank
    return doc["issuer"] in banks.BY_ACCOUNT or by_setting


def render(_sandbox: Sandbox, doc: Doc) -> Doc:
    """Return a payout as inquiries and callbacks show it."""
    given, by_account = doc["given"], doc["issuer"] in banks.BY_ACCOUNT
    shown: Doc = {"transaction_id": doc["id"], "issuer": doc["issuer"], "amount": pounds(doc["amount"])}
    if by_account:
        shown |= {name: given.get(name) for name in ("bank_card_number", "bank_code", "bank_transaction_type")}
    else:
        shown["msisdn"] = given["msisdn"]
    shown |= {
        "full_name": given.get("full_name") or "",
        "disbursement_status": doc["status"],
        "status_code": doc["code"],
        "status_description": banks.described(doc["code"]),
        "fees": pounds(doc["fees"]),
        "vat": pounds(doc["vat"]),
        "client_transaction_reference": given.get("client_reference_id") or given.get("client_reference"),
        "created_at": times.written_by_payouts(doc["_moment"]),
        "updated_at": times.written_by_payouts(doc["_updated"]),
    }
    return shown if by_account else {**shown, "aman_cashing_details": None}


def answered(sandbox: Sandbox, doc: Doc) -> Doc:
    """Return a payout as the call that made it is answered, in which success has another word than in inquiries."""
    shown = render(sandbox, doc)
    return {**shown, "disbursement_status": "success"} if doc["status"] == SUCCESSFUL else shown
