"""Transfers to connected accounts and their reversals."""

from __future__ import annotations

from sandboxes.stripe import currencies, events
from sandboxes.stripe.box import Box, renders
from sandboxes.stripe.documents import Doc, listed
from sandboxes.stripe.errors import refused
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import balance_transaction, charge

# Who receives transfers under the recipient agreement can use them a day later than others.
RECIPIENTS_WAIT = 86_400


def check_destination(box: Box, ident: str, account: str) -> Doc:
    """Return the account that gets the money. Raises 400."""
    destination = box.store.get(ident, "account")
    # Connected accounts do not know of each other.
    if destination is None or box.platform not in (account, ident):
        raise refused(f"No such destination: '{ident}'", code="resource_missing", param="destination")
    if ident == account:
        raise refused("Cannot transfer to your own account.", param="destination")
    names = ("transfers", "legacy_payments")
    if "active" not in (accounts.capability_status(box, destination, name) for name in names):
        raise refused(
            "Your destination account needs to have at least one of the following capabilities enabled:"
            " transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
            param="destination",
        )
    return destination


def source(box: Box, account: str, ident: str, *, amount: int, currency: str) -> Doc:
    """Return the charge that funds a transfer and still can. Raises 400."""
    found = box.find("charge", ident, account=account, param="source_transaction")
    if not found["captured"] or found["status"] != "succeeded":
        raise refused("The source_transaction must be a successful, captured charge.", param="source_transaction")
    if found["currency"] != currency:
        raise refused(
            f"The currency of source_transaction's balance transaction ({found['currency']})"
            f" must be the same as the transfer currency ({currency}).",
            param="currency",
        )
    earlier = sum(
        transfer["amount"] - transfer["amount_reversed"] for transfer in box.store.find("transfer", parent=ident)
    )
    limit = charge.unrefunded(found)
    if amount + earlier > limit:
        raise refused(
            "Transfers using this transaction as a source must not exceed the source amount of"
            f" {currencies.shown(limit, currency)}."
            f" (There have been {currencies.shown(earlier, currency)} in previous transfers using this source.)",
            param="amount",
        )
    return found


def require_available(box: Box, account: str, amount: int, currency: str) -> None:
    """Refuse what the available balance does not cover. Raises 400."""
    if balance_transaction.available(box, account, currency) < amount:
        raise refused(
            "You have insufficient funds in your Stripe account for this transfer."
            " Your card balance is too low; see what becomes available in your balance.",
            code="balance_insufficient",
        )


def move(box: Box, account: str, transfer: Doc, available_on: int | None) -> None:
    """Move the money: out of the sender's balance, into the destination's, both until the same moment pending."""
    amount, currency, ident = transfer["amount"], transfer["currency"], transfer["id"]
    payment = _payment(box, transfer)
    now = box.clock.now()
    leaves = available_on if available_on is not None and available_on > now else None
    arrives = leaves or now
    middle = f"transit/{ident}"
    if accounts.is_recipient(box.find("account", transfer["destination"])):
        arrives += RECIPIENTS_WAIT
    out = balance_transaction.record(
        box, account, "transfer", source=ident, amount=-amount, currency=currency,
        counter=((middle, amount),), available_on=leaves,
        description=transfer["description"],
    )  # fmt: skip
    into = balance_transaction.record(
        box, transfer["destination"], "payment", source=payment["id"], amount=amount, currency=currency,
        counter=((middle, -amount),), available_on=arrives,
    )  # fmt: skip
    transfer |= {"balance_transaction": out["id"], "destination_payment": payment["id"]}
    payment |= {"balance_transaction": into["id"], "_balance_transaction": into["id"]}
    box.add(payment, transfer["destination"], parent=ident)


def _payment(box: Box, transfer: Doc) -> Doc:
    return {
        "id": box.ids.new("py_1"),
        "object": "charge",
        "amount": transfer["amount"],
        "amount_captured": transfer["amount"],
        "amount_refunded": 0,
        "billing_details": {"address": {}},
        "captured": True,
        "created": box.clock.now(),
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


def reverse(box: Box, account: str, transfer: Doc, reversal: Doc) -> Doc:
    """Bring back all or part of a transfer. Raises 400."""
    amount, currency = reversal["amount"], transfer["currency"]
    left = transfer["amount"] - transfer["amount_reversed"]
    if left == 0:
        raise refused(f"Transfer {transfer['id']} is already fully reversed.", code="transfer_already_reversed")
    if amount > left:
        raise refused(
            f"Transfer amount ({currencies.shown(amount, currency)}) is greater than unreversed amount on transfer"
            f" ({currencies.shown(left, currency)})",
            param="amount",
        )
    payment = box.find("charge", transfer["destination_payment"])
    inward = balance_transaction.of(box, payment)
    pending = inward["status"] == "pending"
    column = balance_transaction.pending if pending else balance_transaction.available
    if column(box, transfer["destination"], currency) < amount:
        raise refused("The connected account has insufficient funds for this reversal.", code="balance_insufficient")
    _bring_back(box, account, transfer, reversal, payment)
    before = box.render(transfer)
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    box.store.save(transfer)
    events.emit(box, "transfer.reversed", transfer, before=before)
    return reversal


def _until(movement: Doc) -> int | None:
    """Return until when a movement is pending, which what takes it back is too."""
    return int(movement["available_on"]) if movement["status"] == "pending" else None


def _bring_back(box: Box, account: str, transfer: Doc, reversal: Doc, payment: Doc) -> None:
    amount, currency, middle = reversal["amount"], transfer["currency"], f"transit/{reversal['id']}"
    refund = {
        "id": box.ids.new("pyr_1"),
        "object": "refund",
        "amount": amount,
        "charge": payment["id"],
        "created": box.clock.now(),
        "currency": currency,
        "metadata": {},
        "source_transfer_reversal": reversal["id"],
        "status": "succeeded",
    }
    out = balance_transaction.record(
        box, transfer["destination"], "payment_refund", source=refund["id"], amount=-amount, currency=currency,
        counter=((middle, amount),), available_on=_until(balance_transaction.of(box, payment)),
    )  # fmt: skip
    back = balance_transaction.record(
        box, account, "transfer_refund", source=reversal["id"], amount=amount, currency=currency,
        counter=((middle, -amount),), available_on=_until(balance_transaction.of(box, transfer)),
    )  # fmt: skip
    refund["balance_transaction"] = out["id"]
    box.add(refund, transfer["destination"], parent=payment["id"])
    reversal |= {"balance_transaction": back["id"], "destination_payment_refund": refund["id"]}
    box.add(reversal, account, parent=transfer["id"])
    payment["amount_refunded"] += amount
    payment["refunded"] = payment["amount_refunded"] == payment["amount"]
    box.store.save(payment)


@renders("transfer")
def _rendered(box: Box, transfer: Doc) -> Doc:
    found = box.store.find("transfer_reversal", parent=transfer["id"], newest_first=True, limit=11)
    return {
        **transfer,
        "reversals": listed(
            [box.render(reversal) for reversal in found[:10]],
            f"/v1/transfers/{transfer['id']}/reversals",
            has_more=len(found) > 10,
        ),
    }
