"""What the beginning of a Stripe id says about its object."""

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
    """Return what an id is the id of, None when it does not look like Stripe's."""
    return next((found for prefix, found in _KINDS.items() if object_id.startswith(prefix)), None)
