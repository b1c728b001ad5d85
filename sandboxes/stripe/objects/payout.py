"""Payouts: from the available balance to a bank account, which takes it, refuses it, or returns it later."""

from __future__ import annotations

from sandboxes.stripe import banks, currencies, events
from sandboxes.stripe.box import Box, timer
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import balance_transaction, bank_account


def create(box: Box, account: Doc, given: Doc, *, automatic: bool) -> Doc:
    """Send available money to a bank account. Raises 400."""
    amount, currency = given["amount"], given["currency"]
    bank = _destination(box, account, given.get("destination"), currency)
    _check(box, account, amount, currency)
    instant = given.get("method") == "instant"
    if instant and "instant" not in bank["available_payout_methods"]:
        raise refused("The destination does not take instant payouts.", code="instant_payouts_unsupported")
    now = box.clock.now()
    payout: Doc = {
        "id": box.ids.new("po_1"),
        "object": "payout",
        "amount": amount,
        "arrival_date": int(now + (0 if instant else box.settings.payout_after)),
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
        box, account["id"], "payout", source=payout["id"], amount=-amount, currency=currency,
        counter=((_way(account["id"]), amount),), description=payout["description"],
    )  # fmt: skip
    payout["balance_transaction"] = transaction["id"]
    box.add(payout, account["id"], parent=bank["id"])
    wait = 0 if instant else box.settings.payout_after
    box.clock.schedule("payout.send", payout["id"], wait / 2)
    box.clock.schedule("payout.arrive", payout["id"], wait)
    events.emit(box, "payout.created", payout)
    return payout


def _way(account: str) -> str:
    return f"{account}/payouts"


def _destination(box: Box, account: Doc, ident: str | None, currency: str) -> Doc:
    if ident:
        bank = box.find("bank_account", ident, account=account["id"], param="destination")
        if bank["currency"] != currency:
            raise refused(f"The destination {ident} does not take {currency}.", param="destination")
        return bank
    found = bank_account.default(box, account["id"], currency)
    if found is None:
        raise refused(
            f"Sorry, you don't have any external accounts in that currency ({currency}).",
            code="no_external_account_in_currency",
        )
    return found


def _check(box: Box, account: Doc, amount: int, currency: str) -> None:
    if not box.render(account)["payouts_enabled"]:
        raise refused(
            "Cannot create payouts: payouts are not enabled for this account. See its requirements.",
            code="payouts_not_allowed",
        )
    least = 10 ** currencies.decimals(currency)
    if account["id"] != box.platform and amount < least:
        raise refused(
            f"Amount must be at least {currencies.shown(least, currency)} {currency}",
            code="amount_too_small",
            param="amount",
        )
    if amount % currencies.payout_step(currency):
        raise refused(f"Payouts in {currency} must be divisible by {currencies.payout_step(currency)}.", param="amount")
    if balance_transaction.available(box, account["id"], currency) < amount:
        raise refused(
            f"You have insufficient funds in your Stripe account for this payout in {currency}.",
            code="balance_insufficient",
            param="amount",
        )


@timer("payout.send")
def _send(box: Box, ident: str) -> None:
    payout = box.find("payout", ident)
    if payout["status"] == "pending":
        _change(box, payout, "payout.updated", status="in_transit")


@timer("payout.arrive")
def arrive(box: Box, ident: str) -> None:
    """Let the bank take the money or refuse it."""
    payout = box.find("payout", ident)
    if payout["status"] not in ("pending", "in_transit"):
        return
    number = _number(box, payout)
    code = banks.failure(number, instant=payout["method"] == "instant")
    if code:
        fail(box, payout, code)
        return
    pay(box, payout)
    if number in banks.PAID_THEN_FAILED:
        box.clock.schedule("payout.return", ident, max(box.settings.payout_after, 1))


def _number(box: Box, payout: Doc) -> str:
    bank = box.store.get(payout["destination"], "bank_account")
    return str(bank["_number"]) if bank else ""


@timer("payout.return")
def _return(box: Box, ident: str) -> None:
    payout = box.find("payout", ident)
    if payout["status"] == "paid":
        fail(box, payout, banks.PAID_THEN_FAILED.get(_number(box, payout), "could_not_process"))


def pay(box: Box, payout: Doc) -> Doc:
    """The bank has taken the money."""
    account = box.store.account_of(payout["id"])
    box.money.post(
        "payout_paid", payout["id"], payout["currency"],
        (_way(account), -payout["amount"]), (_bank(payout), payout["amount"]),
    )  # fmt: skip
    done = "completed" if payout["automatic"] else "not_applicable"
    trace = {"status": "supported", "value": payout["id"].removeprefix("po_")}
    return _change(box, payout, "payout.paid", status="paid", reconciliation_status=done, trace_id=trace)


def _bank(payout: Doc) -> str:
    return f"bank/{payout['destination']}"


def fail(box: Box, payout: Doc, code: str) -> Doc:
    """The bank refuses the money, or returns it after it was paid; the account has it again."""
    origin = _bank(payout) if payout["status"] == "paid" else _way(box.store.account_of(payout["id"]))
    back = _bring_back(box, payout, "payout_failure", origin)
    bank_account.refuse(box, payout["destination"])
    return _change(
        box, payout, "payout.failed", status="failed", failure_code=code, failure_message=banks.MESSAGES[code],
        failure_balance_transaction=back["id"],
    )  # fmt: skip


def cancel(box: Box, payout: Doc) -> Doc:
    """Take back a payout by hand that has not been sent yet. Raises 400."""
    if payout["status"] != "pending" or payout["automatic"]:
        raise refused("Payouts can only be canceled while they are pending and were not created automatically.")
    back = _bring_back(box, payout, "payout_cancel", _way(box.store.account_of(payout["id"])))
    return _change(box, payout, "payout.canceled", status="canceled", failure_balance_transaction=back["id"])


def _bring_back(box: Box, payout: Doc, kind: str, origin: str) -> Doc:
    return balance_transaction.record(
        box, box.store.account_of(payout["id"]), kind, source=payout["id"], amount=payout["amount"],
        currency=payout["currency"], counter=((origin, -payout["amount"]),),
    )  # fmt: skip


def _change(box: Box, payout: Doc, event: str, **changed: object) -> Doc:
    before = box.render(payout)
    payout |= changed
    box.store.save(payout)
    if event != "payout.updated":
        events.emit(box, "payout.updated", payout, before=before)
    events.emit(box, event, payout, before=before)
    return payout


@timer("payouts.automatic")
def _automatic(box: Box, ident: str) -> None:
    """Pay out everything available of an account whose schedule is not manual, where it has a bank account."""
    account = box.store.get(ident, "account")
    if account is None or account["settings"]["payouts"]["schedule"]["interval"] == "manual":
        return
    held = box.money.balances(f"{ident}/available").get(f"{ident}/available", {})
    for currency, amount in held.items():
        whole = amount - amount % currencies.payout_step(currency)
        enabled = box.render(account)["payouts_enabled"]
        bank = bank_account.default(box, ident, currency)
        if bank is None or bank["status"] == "errored":
            continue
        if enabled and whole >= 10 ** currencies.decimals(currency):
            create(box, account, {"amount": whole, "currency": currency}, automatic=True)
