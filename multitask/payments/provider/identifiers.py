"""What an id at a provider may name."""

from enum import StrEnum


class IdKind(StrEnum):
    """The kind of object that an id at a provider may identify, by its form.

    A payment is created at some providers as an intention, with an id of its own. A disbursement is paid from the
    platform's budget, a payout from a payee's account.
    """

    PAYMENT = "payment"
    INTENTION = "intention"
    COLLECTION = "collection"
    REFUND = "refund"
    DISBURSEMENT = "disbursement"
    TRANSFER = "transfer"
    PAYOUT = "payout"
    ACCOUNT = "account"
    CUSTOMER = "customer"
    PAYMENT_METHOD = "payment_method"
    DISPUTE = "dispute"
    EVENT = "event"
