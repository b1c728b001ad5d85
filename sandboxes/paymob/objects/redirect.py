"""A transaction as signed, flat parameters: of the merchant's address, to which the payer goes after a payment.

The answer to a payment with a saved card has them too.

The browser carries these, so a merchant shows them at most; only the callback says that money came.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sandboxes.kit.documents import Doc
from sandboxes.paymob import signatures
from sandboxes.paymob.objects import transaction
from sandboxes.paymob.sandbox import Sandbox

_PLAIN = (
    "id", "pending", "amount_cents", "success", "is_auth", "is_capture", "is_standalone_payment", "is_voided",
    "is_refunded", "is_3d_secure", "integration_id", "profile_id", "has_parent_transaction", "created_at", "currency",
    "merchant_commission", "is_void", "is_refund", "error_occured", "refunded_amount_cents", "captured_amount",
    "updated_at", "is_settled", "bill_balanced", "is_bill", "owner", "parent_transaction",
)  # fmt: skip


def parameters(sandbox: Sandbox, doc: Doc) -> dict[str, str]:
    """Return the parameters, which are signed like the callback of the same transaction."""
    return {name: signatures.text(value) for name, value in _flat(sandbox, doc).items()}


def answer(sandbox: Sandbox, doc: Doc, asked_at: str | None) -> Doc:
    """Return what paying with a saved card is answered: flat, with flags as text and numbers as numbers (secondary).

    `asked_at` is where the bank asks the payer.
    """
    flat = {
        name: signatures.text(value) if isinstance(value, bool) else value
        for name, value in _flat(sandbox, doc).items()
    }
    target = asked_at or url(sandbox, doc) or ""
    return {
        **flat, "use_redirection": True, "redirection_url": target, "merchant_response": "",
        "bypass_step_six": asked_at is not None,
    }  # fmt: skip


def _flat(sandbox: Sandbox, doc: Doc) -> Doc:
    obj = sandbox.render(doc)
    flat = {name: obj[name] for name in _PLAIN}
    return flat | {
        "order": obj["order"]["id"],
        "merchant_order_id": obj["order"]["merchant_order_id"],
        "data.message": obj["data"]["message"],
        "txn_response_code": obj["data"]["txn_response_code"],
        "acq_response_code": obj["data"]["acq_response_code"],
        **{f"source_data.{name}": obj["source_data"][name] for name in ("pan", "type", "sub_type")},
        "hmac": signatures.of_transaction(obj, sandbox.settings.hmac_secret),
    }


def url(sandbox: Sandbox, doc: Doc) -> str | None:
    """Return the address that the browser is sent to, or None when the merchant has given none."""
    address = transaction.order_of(sandbox, doc)["redirection_url"]
    if not address:
        return None
    parts = urlsplit(address)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *parameters(sandbox, doc).items()]
    return urlunsplit(parts._replace(query=urlencode(query)))
