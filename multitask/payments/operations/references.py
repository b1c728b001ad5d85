"""References that connect an object at a provider with the row that it was created for."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from multitask.payments.models import Operation, Payment
from multitask.payments.provider import PaymentState

# How far our clock and the provider's may differ, also right after one of them was set.
CLOCKS_APART: Final = timedelta(days=3)


def earliest(operation: Operation) -> datetime:
    """Return a moment at the provider before which the operation's object cannot have been made."""
    return operation.created_at - CLOCKS_APART


def subject_of(reference: str, kind: str) -> tuple[int, int] | None:
    """Parse the subject and sequence from a reference stored at the provider; None if it is not of `kind`."""
    parts = reference.split(":")
    if len(parts) != 3 or parts[0] != kind or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    return int(parts[1]), int(parts[2])


def object_filter(named: str, object_id: str, reference: str, kind: str) -> Q:
    """Find the row of a provider's object: the one that has its id in the field `named`, else the one it was made for.

    One statement: between two, a webhook could write the object's id into the row, and neither would find it.
    """
    found = Q(**{named: object_id})
    subject = subject_of(reference, kind)
    return found if subject is None else found | Q(pk=subject[0], **{named: None})


def charge_id(payment: Payment, state: PaymentState) -> str:
    """Return the id under which a charge has its row: that of its payment or, for another charge of it, one of its own.

    A payer may pay one order twice, such as by card and then the bill at a kiosk. "order/transaction" names the second,
    and the provider reads it under that id.
    """
    known = payment.provider_collection_id
    if not (known and state.collection_id) or known == state.collection_id:
        return state.id
    return f"{state.id}/{state.collection_id}"
