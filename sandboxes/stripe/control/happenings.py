"""What banks, card holders and Stripe's reviewers do: payouts end, disputes open and close, accounts are stopped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sandboxes.stripe import banks
from sandboxes.stripe.control import Endpoint
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import ApiError
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import balance_transaction, payment_intent, setup_intent
from sandboxes.stripe.objects import dispute as disputes
from sandboxes.stripe.objects import payout as payouts
from sandboxes.stripe.objects import refund as refunds

if TYPE_CHECKING:
    from sandboxes.stripe.control.app import Control

# Why Stripe stops an account; the reasons that follow from what is due come by themselves.
DISABLED = re.compile(
    r"under_review|listed|platform_paused|other|action_required\.requested_capabilities|rejected\.[a-z_]+"
)


async def settle_payout(control: Control, _given: Doc, ident: str) -> Doc:
    """Let a payout arrive now."""
    box = control.box
    with box.store.transaction():
        payouts.arrive(box, box.find("payout", ident)["id"])
        return box.render(box.find("payout", ident))


async def fail_payout(control: Control, given: Doc, ident: str) -> Doc:
    """Let a payout fail now, also one that was paid, with `code`."""
    box, code = control.box, given.get("code", "could_not_process")
    if not isinstance(code, str) or code not in banks.MESSAGES:
        raise ValueError(f"code must be one of {', '.join(banks.MESSAGES)}")
    with box.store.transaction():
        payout = box.find("payout", ident)
        if payout["status"] not in ("pending", "in_transit", "paid"):
            raise ValueError(f"the payout is {payout['status']}")
        return box.render(payouts.fail(box, payout, code))


async def settle_funds(control: Control, given: Doc) -> Doc:
    """Make all pending funds of `account`, or of every account, available now."""
    box = control.box
    account = given.get("account")
    with box.store.transaction():
        moved = balance_transaction.settle_now(box, box.find("account", str(account))["id"] if account else None)
    box.run_due()
    return {"settled": moved}


async def open_dispute(control: Control, given: Doc) -> Doc:
    """Open a dispute on `charge` with `reason`; `inquiry` takes no money yet; `amount` disputes a part."""
    box, amount = control.box, given.get("amount")
    if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int)):
        raise ValueError("amount must be a whole number of minor units")
    with box.store.transaction():
        charge = box.find("charge", str(given.get("charge", "")))
        dispute = disputes.open_dispute(
            box,
            charge,
            reason=str(given.get("reason", "fraudulent")),
            inquiry=bool(given.get("inquiry", False)),
            amount=amount,
        )
        return box.render(dispute)


async def close_dispute(control: Control, given: Doc, ident: str) -> Doc:
    """Close a dispute with `outcome` won or lost, or turn an inquiry into a chargeback with `escalated`."""
    box = control.box
    outcome = given.get("outcome")
    if outcome not in ("won", "lost", "escalated"):
        raise ValueError("outcome must be won, lost or escalated")
    with box.store.transaction():
        dispute = box.find("dispute", ident)
        if outcome == "escalated":
            return box.render(disputes.escalate(box, dispute))
        return box.render(disputes.conclude(box, dispute, outcome))


async def fail_refund(control: Control, given: Doc, ident: str) -> Doc:
    """Let a refund fail now, also one that succeeded."""
    box = control.box
    with box.store.transaction():
        refund = box.find("refund", ident)
        if refund["status"] not in ("pending", "succeeded"):
            raise ValueError(f"the refund is {refund['status']}")
        return box.render(refunds.fail(box, refund, str(given.get("reason", "unknown"))))


async def restrict(control: Control, given: Doc, ident: str) -> Doc:
    """Stop an account with `disabled_reason` (null lets it go on), or ask it for `currently_due` again."""
    box, asked = control.box, given.get("currently_due", [])
    if not isinstance(asked, list) or not all(isinstance(name, str) for name in asked):
        raise ValueError("currently_due must be a list of names")
    reason = given.get("disabled_reason")
    if reason is not None and not (isinstance(reason, str) and DISABLED.fullmatch(reason)):
        raise ValueError(f"disabled_reason must be null or match {DISABLED.pattern}")
    with box.store.transaction():
        account = box.find("account", ident)
        before = box.render(account)
        if "disabled_reason" in given:
            account["_disabled"] = reason
        if "currently_due" in given:
            account["_asked"] = asked
        accounts.reassess(box, account, before)
        return box.render(account)


async def authenticate(control: Control, given: Doc, ident: str) -> Doc:
    """Finish the 3-D Secure step of an intent: `passed` true or false."""
    box = control.box
    module = setup_intent if ident.startswith("seti_") else payment_intent
    kind = "setup_intent" if module is setup_intent else "payment_intent"
    try:
        with box.store.transaction():
            module.authenticate(box, box.find(kind, ident), passed=bool(given.get("passed", True)))
    except ApiError as error:
        # A decline after a passed authentication is an outcome, told by the intent itself.
        if not error.keep_effects:
            raise
    box.run_due()
    with box.store.transaction():
        return box.render(box.find(kind, ident))


async def list_banks(_control: Control, _given: Doc) -> Doc:
    """Return the test bank numbers and what each does."""
    return {
        "ok": banks.OK_NUMBER,
        "failing": banks.FAILING,
        "failing_instant": banks.FAILING_INSTANT,
        "paid_then_failed": banks.PAID_THEN_FAILED,
    }


ROUTES: list[Endpoint] = [
    ("POST", "/_sandbox/payouts/{ident}/settle", settle_payout),
    ("POST", "/_sandbox/payouts/{ident}/fail", fail_payout),
    ("POST", "/_sandbox/settle", settle_funds),
    ("POST", "/_sandbox/disputes", open_dispute),
    ("POST", "/_sandbox/disputes/{ident}", close_dispute),
    ("POST", "/_sandbox/refunds/{ident}/fail", fail_refund),
    ("POST", "/_sandbox/accounts/{ident}", restrict),
    ("POST", "/_sandbox/intents/{ident}/authenticate", authenticate),
    ("GET", "/_sandbox/banks", list_banks),
]
