"""The kinds of Stripe objects, by the prefixes of their ids."""

from typing import Final

from multitask.payments.provider import IdKind

_KINDS: Final = {
    "pi_": IdKind.PAYMENT,
    "ch_": IdKind.COLLECTION,
    "py_": IdKind.COLLECTION,
    "tr_": IdKind.TRANSFER,
    "po_": IdKind.PAYOUT,
    "re_": IdKind.REFUND,
    "pyr_": IdKind.REFUND,
    "acct_": IdKind.ACCOUNT,
    "cus_": IdKind.CUSTOMER,
    "evt_": IdKind.EVENT,
    "dp_": IdKind.DISPUTE,
    "du_": IdKind.DISPUTE,
    "pm_": IdKind.PAYMENT_METHOD,
}


def kind_of(object_id: str) -> IdKind | None:
    """Return the kind of object that an id identifies; None if it is not an id of Stripe."""
    return next((found for prefix, found in _KINDS.items() if object_id.startswith(prefix)), None)
