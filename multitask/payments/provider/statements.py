"""What a provider reports about the money in its accounts: balances, and the lines of its statement."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from multitask.money import Money
from multitask.payments.provider.objects import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """What the provider holds for an account, in one currency; `reserved` is held back by the provider."""

    available: Money
    pending: Money
    reserved: Money

    @property
    def total(self) -> Money:
        """All that the provider holds for the account."""
        return self.available + self.pending + self.reserved


class LineKind(StrEnum):
    """The kinds of lines of a provider account's statement."""

    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    TRANSFER = "transfer"  # on the platform's account and on the payee's
    REVERSAL = "reversal"  # of a transfer, on both accounts
    PAYOUT = "payout"
    PAYOUT_FAILURE = "payout_failure"
    PAYOUT_CANCELLED = "payout_cancelled"
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSAL = "chargeback_reversal"
    FEE = "fee"
    TOPUP = "topup"
    ADJUSTMENT = "adjustment"
    OPENING = "opening"  # what the account held before its first line; no provider sends it
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementEntry:
    """One line of a provider account's statement: the account moves by `amount` less `fee`.

    `source_id` is the object that moved the money; both accounts of a transfer or a reversal name the same one. It is
    empty when no object did. `subject` and `object_id` are the object to read to learn about it: the payment of a
    charge, the transfer of a reversal; `Subject.NOTHING` when there is none.
    """

    id: str
    kind: LineKind
    source_id: str
    subject: Subject
    object_id: str
    amount: Money
    fee: Money
    created_at: datetime
    available_at: datetime | None = None
    description: str = ""
