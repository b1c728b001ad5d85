"""Payout destinations: what a provider that pays out from the platform's money has to know of a payee."""

from dataclasses import dataclass, field
from enum import StrEnum


class DestinationKind(StrEnum):
    """How the money reaches the payee."""

    BANK = "bank"
    WALLET = "wallet"
    INSTAPAY = "instapay"  # the instant network of the banks; the account is one at a bank


class WalletIssuer(StrEnum):
    """Who runs a mobile wallet."""

    VODAFONE = "vodafone"
    ETISALAT = "etisalat"
    ORANGE = "orange"
    BANK_WALLET = "bank_wallet"  # a bank, or any other


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a payout from the platform's budget goes, in clear; its `repr` shows nothing but the kind.

    A bank has `number` (an IBAN or an account number), `bank_code` and `holder`; a wallet has `issuer` and `number`
    (of a mobile phone, eleven digits); InstaPay has `number`, `bank_code` and `holder`.
    """

    kind: DestinationKind
    number: str = field(repr=False)
    holder: str = field(default="", repr=False)
    bank_code: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    national_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DestinationDetails:
    """The details of one destination, in clear; fields that its kind does not have are empty.

    `number` is an IBAN or an account number, for a wallet the phone number of 11 digits.
    """

    kind: DestinationKind
    number: str
    bank_code: str = ""
    issuer: str = ""
    full_name: str = ""

    def __repr__(self) -> str:
        """Return the kind alone: representations end up in logs."""
        return f"DestinationDetails({self.kind})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PayeeDetails:
    """All that a payout needs to know in clear: the destination, and who its owner is by law."""

    destination: DestinationDetails
    legal_name: str
    national_id: str

    def __repr__(self) -> str:
        """Return the kind alone: representations end up in logs."""
        return f"PayeeDetails({self.destination.kind})"
