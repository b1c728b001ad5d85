"""Transfers to connected accounts and their reversals."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.stripe import currencies, events
from sandboxes.stripe.errors import refused
from sandboxes.stripe.listing import listed
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import balance_transaction, charge, exchange
from sandboxes.stripe.sandbox import Sandbox

# Under the recipient agreement transferred funds become available a day later.
RECIPIENTS_WAIT = 86_400


def check_destination(sandbox: Sandbox, ident: str, account: str) -> Doc:
    """Return the destination account. Raises 400."""
    destination = accounts.open_to_platform(sandbox, ident)
    # Connected accounts cannot see each other.
    if destination is None or sandbox.platform not in (account, ident):
        raise refused(f"No such destination: '{ident}'", code="resource_missing", param="destination")
    if ident == account:
        raise refused("Cannot transfer to your own account.", param="destination")
    names = ("transfers", "legacy_payments")
    if "active" not in (accounts.capability_status(sandbox, destination, name) for name in names):
        raise refused(
            "Your destination account needs to have at least one of the following capabilities enabled:"
            " transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
            param="destination",
        )
    return destination


def whole(sandbox: Sandbox, charge: Doc) -> int:
    """Return the whole amount of a charge, in the currency in which it settled."""
    collected = charge.get("_balance_transaction")
    return int(sandbox.find("balance_transaction", collected)["amount"]) if collected else int(charge["amount"])


def source(sandbox: Sandbox, account: str, ident: str, *, amount: int, currency: str) -> Doc:
    """Return the source charge of a transfer, whose unrefunded amount covers it. Raises 400."""
    found = sandbox.find("charge", ident, account=account, param="source_transaction")
    if not found["captured"] or found["status"] != "succeeded":
        raise refused("The source_transaction must be a successful, captured charge.", param="source_transaction")
    settled = balance_transaction.of(sandbox, found, "_balance_transaction")["currency"]
    if settled != currency:
        raise refused(
            f"The currency of source_transaction's balance transaction ({settled})"
            f" must be the same as the transfer currency ({currency}).",
            param="currency",
        )
    earlier = sum(
        transfer["amount"] - transfer["amount_reversed"] for transfer in sandbox.store.find("transfer", parent=ident)
    )
    limit = charge.unrefunded_settled(sandbox, found)
    if amount + earlier > limit:
        raise refused(
            "Transfers using this transaction as a source must not exceed the source amount of"
            f" {currencies.shown(limit, currency)}."
            f" (There have been {currencies.shown(earlier, currency)} in previous transfers using this source.)",
            param="amount",
        )
    return found


def require_available(sandbox: Sandbox, account: str, amount: int, currency: str) -> None:
    """Refuse a transfer that the available balance does not cover. Raises 400."""
    if balance_transaction.available(sandbox, account, currency) < amount:
        raise refused(
            "You have insufficient funds in your Stripe account for this transfer."
            " Your card balance is too low; see what becomes available in your balance.",
            code="balance_insufficient",
        )


def move(sandbox: Sandbox, account: str, transfer: Doc, available_on: int | None) -> None:
    """Move the money from the sender's balance to the destination's, pending on both sides until the same moment."""
    amount, currency, ident = transfer["amount"], transfer["currency"], transfer["id"]
    payment = _payment(sandbox, transfer)
    now = sandbox.clock.now()
    leaves = available_on if available_on is not None and available_on > now else None
    arrives = leaves or now
    middle = f"transit/{ident}"
    if accounts.is_recipient(sandbox.find("account", transfer["destination"])):
        arrives += RECIPIENTS_WAIT
    out = balance_transaction.record(
        sandbox, account, "transfer", source=ident, amount=-amount, currency=currency,
        counter=((middle, amount),), available_on=leaves,
        description=transfer["description"],
    )  # fmt: skip
    into = balance_transaction.record(
        sandbox, transfer["destination"], "payment", source=payment["id"], amount=amount, currency=currency,
        counter=((middle, -amount),), available_on=arrives,
        settled=exchange.settled(sandbox, transfer["destination"], amount, currency),
    )  # fmt: skip
    transfer |= {"balance_transaction": out["id"], "destination_payment": payment["id"]}
    payment |= {"balance_transaction": into["id"], "_balance_transaction": into["id"]}
    sandbox.add(payment, transfer["destination"], parent=ident)


def _payment(sandbox: Sandbox, transfer: Doc) -> Doc:
    return {
        "id": sandbox.ids.new("py_1"),
        "object": "charge",
        "amount": transfer["amount"],
        "amount_captured": transfer["amount"],
        "amount_refunded": 0,
        "billing_details": {"address": {}},
        "captured": True,
        "created": sandbox.clock.now(),
        "currency": transfer["currency"],
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "paid": True,
        "payment_method_details": {"type": "stripe_account", "stripe_account": {}},
        "refunded": False,
        "source_transfer": transfer["id"],
        "status": "succeeded",
        "transfer_group": None,
    }


def reverse(sandbox: Sandbox, account: str, transfer: Doc, reversal: Doc) -> Doc:
    """Reverse all or part of a transfer. Raises 400."""
    amount, currency = reversal["amount"], transfer["currency"]
    if accounts.open_to_platform(sandbox, transfer["destination"]) is None:
        raise ApiError(
            403,
            f"The account {transfer['destination']} of this transfer was closed, or access to it was revoked.",
            code="account_invalid",
        )
    left = transfer["amount"] - transfer["amount_reversed"]
    if left == 0:
        raise refused(f"Transfer {transfer['id']} is already fully reversed.", code="transfer_already_reversed")
    if amount > left:
        raise refused(
            f"Transfer amount ({currencies.shown(amount, currency)}) is greater than unreversed amount on transfer"
            f" ({currencies.shown(left, currency)})",
            param="amount",
        )
    payment = sandbox.find("charge", transfer["destination_payment"])
    inward = balance_transaction.of(sandbox, payment)
    pending = inward["status"] == "pending"
    column = balance_transaction.pending if pending else balance_transaction.available
    needed = exchange.settled(sandbox, transfer["destination"], amount, currency, like=inward)
    if column(sandbox, transfer["destination"], needed.currency) < needed.amount:
        raise refused("The connected account has insufficient funds for this reversal.", code="balance_insufficient")
    _bring_back(sandbox, account, transfer, reversal, payment)
    before = sandbox.render(transfer)
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    sandbox.store.save(transfer)
    events.emit(sandbox, "transfer.reversed", transfer, before=before)
    return reversal


def _until(movement: Doc) -> int | None:
    """Return until when a movement is pending; its reversal is pending as long."""
    return int(movement["available_on"]) if movement["status"] == "pending" else None


def _bring_back(sandbox: Sandbox, account: str, transfer: Doc, reversal: Doc, payment: Doc) -> None:
    amount, currency, middle = reversal["amount"], transfer["currency"], f"transit/{reversal['id']}"
    refund = {
        "id": sandbox.ids.new("pyr_1"),
        "object": "refund",
        "amount": amount,
        "charge": payment["id"],
        "created": sandbox.clock.now(),
        "currency": currency,
        "metadata": {},
        "source_transfer_reversal": reversal["id"],
        "status": "succeeded",
    }
    inward = balance_transaction.of(sandbox, payment)
    out = balance_transaction.record(
        sandbox, transfer["destination"], "payment_refund", source=refund["id"], amount=-amount, currency=currency,
        counter=((middle, amount),), available_on=_until(inward),
        settled=exchange.settled(sandbox, transfer["destination"], -amount, currency, like=inward),
    )  # fmt: skip
    back = balance_transaction.record(
        sandbox, account, "transfer_refund", source=reversal["id"], amount=amount, currency=currency,
        counter=((middle, -amount),), available_on=_until(balance_transaction.of(sandbox, transfer)),
    )  # fmt: skip
    refund["balance_transaction"] = out["id"]
    sandbox.add(refund, transfer["destination"], parent=payment["id"])
    reversal |= {"balance_transaction": back["id"], "destination_payment_refund": refund["id"]}
    sandbox.add(reversal, account, parent=transfer["id"])
    payment["amount_refunded"] += amount
    payment["refunded"] = payment["amount_refunded"] == payment["amount"]
    sandbox.store.save(payment)


def render(sandbox: Sandbox, transfer: Doc) -> Doc:
    """Return the transfer as the API answers it, with its newest reversals."""
    found = sandbox.store.find("transfer_reversal", parent=transfer["id"], newest_first=True, limit=11)
    return {
        **transfer,
        "reversals": listed(
            [sandbox.render(reversal) for reversal in found[:10]],
            f"/v1/transfers/{transfer['id']}/reversals",
            has_more=len(found) > 10,
        ),
    }
