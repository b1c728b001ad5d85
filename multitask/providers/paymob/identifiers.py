"""The kinds of Paymob's objects, by the forms of their ids."""

import re
from typing import Final

from multitask.payments.provider import IdKind

# A payment is an order; a transaction collects or refunds it; a saved card has a number too. Payouts have UUIDs, and
# numbers in older documents.
_FORMS: Final = (
    (
        re.compile(r"[0-9]{1,30}", re.ASCII),
        {IdKind.PAYMENT, IdKind.COLLECTION, IdKind.REFUND, IdKind.DISBURSEMENT, IdKind.PAYMENT_METHOD},
    ),
    (re.compile(r"[0-9]{1,30}/[0-9]{1,30}", re.ASCII), {IdKind.PAYMENT}),
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII), {IdKind.DISBURSEMENT}),
    (re.compile(r"pi_(?:test|live)_[A-Za-z0-9]+", re.ASCII), {IdKind.INTENTION}),
    (re.compile(r"(?:transaction:[0-9]+|token):[0-9a-f]+", re.ASCII), {IdKind.EVENT}),
)


def kinds_of(object_id: str) -> frozenset[IdKind]:
    """Return the kinds that an id may be of; none if it is not an id of Paymob."""
    return frozenset().union(*(kinds for form, kinds in _FORMS if form.fullmatch(object_id)))
