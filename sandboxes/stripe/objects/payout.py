"""Payouts: from the available balance to a bank account, which accepts, rejects or later returns them."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe import banks, currencies, events
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import balance_transaction, bank_account
from sandboxes.stripe.sandbox import Sandbox


def create(sandbox: Sandbox, account: Doc, given: Doc, *, automatic: bool) -> Doc:
    """Send available money to a bank account. Raises 400."""
    amount, currency = given["amount"], given["currency"]
    bank = _destination(sandbox, account, given.get("destination"), currency)
    _check(sandbox, account, amount, currency)
    instant = given.get("method") == "instant"
    if instant and "instant" not in bank["available_payout_methods"]:
        raise refused("The destination does not take instant payouts.", code="instant_payouts_unsupported")
    now = sandbox.clock.now()
    payout: Doc = {
        "id": sandbox.ids.new("po_1"),
        "object": "payout",
        "amount": amount,
        "arrival_date": int(now + (0 if instant else sandbox.settings.payout_after)),
        "automatic": automatic,
        "created": now,
        "currency": currency,
        "description": given.get("description") or ("STRIPE PAYOUT" if automatic else None),
        "destination": bank["id"],
        "livemode": False,
        "metadata": given.get("metadata") or {},
        "method": "instant" if instant else "standard",
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "source_type": given.get("source_type") or "card",
        "statement_descriptor": given.get("statement_descriptor"),
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
    transaction = balance_transaction.record(
        sandbox, account["id"], "payout", source=payout["id"], amount=-amount, currency=currency,
        counter=((_in_transit(account["id"]), amount),), description=payout["description"],
    )  # fmt: skip
    payout["balance_transaction"] = transaction["id"]
    if automatic:
        balance_transaction.assign(sandbox, account["id"], payout)
    sandbox.add(payout, account["id"], parent=bank["id"])
    wait = 0 if instant else sandbox.settings.payout_after
    sandbox.clock.schedule("payout.send", payout["id"], wait / 2)
    sandbox.clock.schedule("payout.arrive", payout["id"], wait)
    events.emit(sandbox, "payout.created", payout)
    return payout


def _in_transit(account: str) -> str:
    return f"{account}/payouts"


def _destination(sandbox: Sandbox, account: Doc, ident: str | None, currency: str) -> Doc:
    if ident:
        bank = sandbox.find("bank_account", ident, account=account["id"], param="destination")
        if bank["currency"] != currency:
            raise refused(f"The destination {ident} does not take {currency}.", param="destination")
        return bank
    found = bank_account.default(sandbox, account["id"], currency)
    if found is None:
        raise refused(
            f"Sorry, you don't have any external accounts in that currency ({currency}).",
            code="no_external_account_in_currency",
        )
    return found


def _check(sandbox: Sandbox, account: Doc, amount: int, currency: str) -> None:
    if not sandbox.render(account)["payouts_enabled"]:
        raise refused(
            "Cannot create payouts: payouts are not enabled for this account. See its requirements.",
            code="payouts_not_allowed",
        )
    least = 10 ** currencies.decimals(currency)
    if account["id"] != sandbox.platform and amount < least:
        raise refused(
            f"Amount must be at least {currencies.shown(least, currency)} {currency}",
            code="amount_too_small",
            param="amount",
        )
    if amount % currencies.payout_step(currency):
        raise refused(f"Payouts in {currency} must be divisible by {currencies.payout_step(currency)}.", param="amount")
    if balance_transaction.available(sandbox, account["id"], currency) < amount:
        raise refused(
            f"You have insufficient funds in your Stripe account for this payout in {currency}.",
            code="balance_insufficient",
            param="amount",
        )


def send(sandbox: Sandbox, ident: str) -> None:
    """Mark a pending payout as in transit."""
    payout = sandbox.find("payout", ident)
    if payout["status"] == "pending":
        _change(sandbox, payout, "payout.updated", status="in_transit")


def arrive(sandbox: Sandbox, ident: str) -> None:
    """Settle or fail a payout, depending on its bank account."""
    payout = sandbox.find("payout", ident)
    if payout["status"] not in ("pending", "in_transit"):
        return
    number = _number(sandbox, payout)
    code = banks.failure(number, instant=payout["method"] == "instant")
    if code:
        fail(sandbox, payout, code)
        return
    pay(sandbox, payout)
    if number in banks.PAID_THEN_FAILED:
        sandbox.clock.schedule("payout.return", ident, max(sandbox.settings.payout_after, 1))


def _number(sandbox: Sandbox, payout: Doc) -> str:
    bank = sandbox.store.get(payout["destination"], "bank_account")
    return str(bank["_number"]) if bank else ""


def return_paid(sandbox: Sandbox, ident: str) -> None:
    """Fail a payout that the bank returns after it was paid."""
    payout = sandbox.find("payout", ident)
    if payout["status"] == "paid":
        fail(sandbox, payout, banks.PAID_THEN_FAILED.get(_number(sandbox, payout), "could_not_process"))


def pay(sandbox: Sandbox, payout: Doc) -> Doc:
    """Mark a payout as paid."""
    account = sandbox.store.account_of(payout["id"])
    sandbox.journal.post(
        "payout_paid", payout["id"], payout["currency"],
        (_in_transit(account), -payout["amount"]), (_bank(payout), payout["amount"]),
    )  # fmt: skip
    done = "completed" if payout["automatic"] else "not_applicable"
    trace = {"status": "supported", "value": payout["id"].removeprefix("po_")}
    return _change(sandbox, payout, "payout.paid", status="paid", reconciliation_status=done, trace_id=trace)


def _bank(payout: Doc) -> str:
    return f"bank/{payout['destination']}"


def fail(sandbox: Sandbox, payout: Doc, code: str) -> Doc:
    """Fail a payout, also one that was paid; the account has the money again."""
    origin = _bank(payout) if payout["status"] == "paid" else _in_transit(sandbox.store.account_of(payout["id"]))
    back = _return_to_account(sandbox, payout, "payout_failure", origin)
    bank_account.refuse(sandbox, payout["destination"])
    return _change(
        sandbox, payout, "payout.failed", status="failed", failure_code=code, failure_message=banks.MESSAGES[code],
        failure_balance_transaction=back["id"],
    )  # fmt: skip


def cancel(sandbox: Sandbox, payout: Doc) -> Doc:
    """Cancel a manual payout that has not been sent yet. Raises 400."""
    if payout["status"] != "pending" or payout["automatic"]:
        raise refused("Payouts can only be canceled while they are pending and were not created automatically.")
    back = _return_to_account(sandbox, payout, "payout_cancel", _in_transit(sandbox.store.account_of(payout["id"])))
    return _change(sandbox, payout, "payout.canceled", status="canceled", failure_balance_transaction=back["id"])


def _return_to_account(sandbox: Sandbox, payout: Doc, kind: str, origin: str) -> Doc:
    return balance_transaction.record(
        sandbox, sandbox.store.account_of(payout["id"]), kind, source=payout["id"], amount=payout["amount"],
        currency=payout["currency"], counter=((origin, -payout["amount"]),),
    )  # fmt: skip


def _change(sandbox: Sandbox, payout: Doc, event: str, **changed: object) -> Doc:
    before = sandbox.render(payout)
    payout |= changed
    sandbox.store.save(payout)
    if event != "payout.updated":
        events.emit(sandbox, "payout.updated", payout, before=before)
    events.emit(sandbox, event, payout, before=before)
    return payout


def pay_out_automatically(sandbox: Sandbox, ident: str) -> None:
    """Pay out the available balance of an account with an automatic schedule, per currency that has a bank account."""
    account = sandbox.store.get(ident, "account")
    if account is None or account["settings"]["payouts"]["schedule"]["interval"] == "manual":
        return
    held = sandbox.journal.balances(f"{ident}/available").get(f"{ident}/available", {})
    for currency, amount in held.items():
        whole = amount - amount % currencies.payout_step(currency)
        enabled = sandbox.render(account)["payouts_enabled"]
        bank = bank_account.default(sandbox, ident, currency)
        if bank is None or bank["status"] == "errored":
            continue
        if enabled and whole >= 10 ** currencies.decimals(currency):
            create(sandbox, account, {"amount": whole, "currency": currency}, automatic=True)
