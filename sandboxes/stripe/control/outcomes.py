"""Outcomes that a test decides: how payouts, refunds, disputes, reviews and 3-D Secure end."""

from __future__ import annotations

import re

from sandboxes.kit.control.endpoints import Control, Endpoint, seconds
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.stripe import banks
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import (
    balance_transaction,
    early_fraud_warning,
    payment_intent,
    setup_intent,
    webhook_endpoint,
)
from sandboxes.stripe.objects import dispute as disputes
from sandboxes.stripe.objects import payout as payouts
from sandboxes.stripe.objects import refund as refunds
from sandboxes.stripe.sandbox import Sandbox

# Why Stripe stops an account; the reasons that follow from what is due come by themselves.
DISABLED = re.compile(
    r"under_review|listed|platform_paused|other|action_required\.requested_capabilities|rejected\.[a-z_]+"
)


async def settle_payout(control: Control[Sandbox], _given: Doc, ident: str) -> Doc:
    """Settle a payout now."""
    sandbox = control.sandbox
    with sandbox.store.transaction():
        payouts.arrive(sandbox, sandbox.find("payout", ident)["id"])
        return sandbox.render(sandbox.find("payout", ident))


async def fail_payout(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """Fail a payout now, even one that was paid, with `code`."""
    sandbox, code = control.sandbox, given.get("code", "could_not_process")
    if not isinstance(code, str) or code not in banks.MESSAGES:
        raise ValueError(f"code must be one of {', '.join(banks.MESSAGES)}")
    with sandbox.store.transaction():
        payout = sandbox.find("payout", ident)
        if payout["status"] not in ("pending", "in_transit", "paid"):
            raise ValueError(f"the payout is {payout['status']}")
        return sandbox.render(payouts.fail(sandbox, payout, code))


async def settle_funds(control: Control[Sandbox], given: Doc) -> Doc:
    """Make all pending funds of `account`, or of every account, available now."""
    sandbox = control.sandbox
    account = given.get("account")
    with sandbox.store.transaction():
        moved = balance_transaction.settle_now(
            sandbox, sandbox.find("account", str(account))["id"] if account else None
        )
    sandbox.run_due()
    return {"settled": moved}


async def open_dispute(control: Control[Sandbox], given: Doc) -> Doc:
    """Open a dispute on `charge` with `reason`; `inquiry` takes no money yet; `amount` disputes a part."""
    sandbox, amount = control.sandbox, _amount(given)
    with sandbox.store.transaction():
        charge = sandbox.find("charge", str(given.get("charge", "")))
        dispute = disputes.open_dispute(
            sandbox,
            charge,
            reason=str(given.get("reason", "fraudulent")),
            inquiry=bool(given.get("inquiry", False)),
            amount=amount,
        )
        return sandbox.render(dispute)


async def close_dispute(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """Close a dispute with `outcome` won or lost, or turn an inquiry into a chargeback with `escalated`.

    A lost dispute may still be won, and a closed inquiry become a chargeback. `return_fee` also returns the fee of a
    dispute that is won. `reinstated` returns money of one that is over without changing its outcome. `amount` is the
    part that is returned, instead of all.
    """
    sandbox, part = control.sandbox, _amount(given)
    outcome, return_fee = given.get("outcome"), bool(given.get("return_fee", False))
    if outcome not in ("won", "lost", "escalated", "reinstated"):
        raise ValueError("outcome must be won, lost, escalated or reinstated")
    with sandbox.store.transaction():
        dispute = sandbox.find("dispute", ident)
        if outcome == "escalated":
            return sandbox.render(disputes.escalate(sandbox, dispute))
        if outcome == "reinstated":
            return sandbox.render(disputes.reinstate(sandbox, dispute, part))
        if outcome == "won" and dispute["status"] == "lost":
            return sandbox.render(disputes.overturn(sandbox, dispute, return_fee=return_fee, part=part))
        return sandbox.render(disputes.conclude(sandbox, dispute, outcome, return_fee=return_fee, part=part))


def _amount(given: Doc) -> int | None:
    """Return the given amount in minor units, or None. Raises ValueError."""
    amount = given.get("amount")
    if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int)):
        raise ValueError("amount must be a whole number of minor units")
    return amount


async def warn(control: Control[Sandbox], given: Doc) -> Doc:
    """Make an early fraud warning about `charge`, of `fraud_type`."""
    sandbox, fraud_type = control.sandbox, given.get("fraud_type", "unauthorized_use_of_card")
    if fraud_type not in early_fraud_warning.TYPES:
        raise ValueError(f"fraud_type must be one of {', '.join(early_fraud_warning.TYPES)}")
    with sandbox.store.transaction():
        charge = sandbox.find("charge", str(given.get("charge", "")))
        return sandbox.render(early_fraud_warning.create(sandbox, charge, fraud_type))


async def fail_refund(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """Fail a refund now, even one that succeeded."""
    sandbox = control.sandbox
    with sandbox.store.transaction():
        refund = sandbox.find("refund", ident)
        if refund["status"] not in ("pending", "succeeded"):
            raise ValueError(f"the refund is {refund['status']}")
        return sandbox.render(refunds.fail(sandbox, refund, str(given.get("reason", "unknown"))))


async def restrict(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """Disable an account with `disabled_reason` (null enables it), or request `currently_due` again.

    `within` seconds it keeps working without what is due. `lost` names the capabilities that it loses.
    """
    sandbox, asked, lost = control.sandbox, given.get("currently_due", []), given.get("lost", [])
    for names in (asked, lost):
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("currently_due and lost must be lists of names")
    within = seconds(given, "within", 0, most=365 * 86_400)
    reason = given.get("disabled_reason")
    if reason is not None and not (isinstance(reason, str) and DISABLED.fullmatch(reason)):
        raise ValueError(f"disabled_reason must be null or match {DISABLED.pattern}")
    with sandbox.store.transaction():
        account = sandbox.find("account", ident)
        before = sandbox.render(account)
        if "disabled_reason" in given:
            account["_disabled"] = reason
        if "currently_due" in given:
            accounts.ask_again(sandbox, account, asked, within)
        if "lost" in given:
            account["_lost"] = lost
        accounts.reassess(sandbox, account, before)
        return sandbox.render(account)


async def deauthorize(control: Control[Sandbox], _given: Doc, ident: str) -> Doc:
    """Let the owner of an account end the platform's access to it."""
    sandbox = control.sandbox
    with sandbox.store.transaction():
        account = sandbox.find("account", ident)
        if ident == sandbox.platform or account.get("_deauthorized"):
            raise ValueError("the platform has no access to end")
        accounts.deauthorize(sandbox, account)
        return {"id": ident, "deauthorized": True}


async def authenticate(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """Finish the 3-D Secure step of an intent: `passed` true or false."""
    sandbox = control.sandbox
    module = setup_intent if ident.startswith("seti_") else payment_intent
    kind = "setup_intent" if module is setup_intent else "payment_intent"
    try:
        with sandbox.store.transaction():
            module.authenticate(sandbox, sandbox.find(kind, ident), passed=bool(given.get("passed", True)))
    except ApiError as error:
        # A decline after a passed authentication is an outcome, which the intent itself carries.
        if not error.keep_effects:
            raise
    sandbox.run_due()
    with sandbox.store.transaction():
        return sandbox.render(sandbox.find(kind, ident))


async def roll_secret(control: Control[Sandbox], given: Doc, ident: str) -> Doc:
    """Replace a webhook endpoint's secret; the old one also signs for `keep_seconds`, at most a day."""
    sandbox = control.sandbox
    with sandbox.store.transaction():
        endpoint = sandbox.find("webhook_endpoint", ident)
        secret = webhook_endpoint.roll(sandbox, endpoint, seconds(given, "keep_seconds", 86_400))
        return {"id": ident, "secret": secret}


async def list_banks(_control: Control[Sandbox], _given: Doc) -> Doc:
    """Return the test bank numbers and what each does."""
    return {
        "ok": banks.OK_NUMBER,
        "failing": banks.FAILING,
        "failing_instant": banks.FAILING_INSTANT,
        "paid_then_failed": banks.PAID_THEN_FAILED,
    }


ENDPOINTS = (
    Endpoint("POST", "/_sandbox/payouts/{ident}/settle", settle_payout),
    Endpoint("POST", "/_sandbox/payouts/{ident}/fail", fail_payout),
    Endpoint("POST", "/_sandbox/settle", settle_funds),
    Endpoint("POST", "/_sandbox/disputes", open_dispute),
    Endpoint("POST", "/_sandbox/early_fraud_warnings", warn),
    Endpoint("POST", "/_sandbox/disputes/{ident}", close_dispute),
    Endpoint("POST", "/_sandbox/refunds/{ident}/fail", fail_refund),
    Endpoint("POST", "/_sandbox/accounts/{ident}", restrict),
    Endpoint("POST", "/_sandbox/accounts/{ident}/deauthorize", deauthorize),
    Endpoint("POST", "/_sandbox/intents/{ident}/authenticate", authenticate),
    Endpoint("POST", "/_sandbox/webhook_endpoints/{ident}/roll", roll_secret),
    Endpoint("GET", "/_sandbox/banks", list_banks),
)
