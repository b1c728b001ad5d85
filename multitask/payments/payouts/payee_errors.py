"""Refusals of what payees enter about where they are paid and who they are.

A refusal for one kind of fault has that fault's code; one for several kinds has the code of its base class. `fields`
names every field that is at fault. No message repeats what was entered.
"""

from collections.abc import Iterable
from typing import NamedTuple

from multitask.payments.errors import PaymentError


class Fault(NamedTuple):
    """What is wrong with one field; `code` is that of the refusal it leads to."""

    field: str
    code: str
    message: str


class InvalidPayeeDetails(PaymentError):
    """Several fields are wrong, each in its own way."""

    code = "invalid_payee_details"
    message = "Some of the details are not valid."

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        """Store the faults; the first of a field counts."""
        self.faults = tuple(faults)
        fields = {fault.field: fault.message for fault in reversed(self.faults)}
        super().__init__(fields=fields, detail=" ".join(fields.values()) or None)


class DetailMissing(InvalidPayeeDetails):
    """A field that this kind of destination needs is missing or empty."""

    code = "required"
    message = "Some of the details are missing."


class DetailUnknown(InvalidPayeeDetails):
    """A field was given that this kind of destination does not have."""

    code = "unknown_field"
    message = "There is a field that this kind of destination does not have."


class TextRefused(InvalidPayeeDetails):
    """A field has control characters or characters that change the direction of the text."""

    code = "invalid_text"
    message = "There are characters that are not allowed here."


class KindUnknown(InvalidPayeeDetails):
    """There is no such kind of destination."""

    code = "destination_kind_unknown"
    message = "This is not a kind of payout destination."


class IbanInvalid(InvalidPayeeDetails):
    """The IBAN is not an Egyptian one, or its check digits do not fit."""

    code = "iban_invalid"
    message = "This is not a valid Egyptian IBAN."


class AccountNumberInvalid(InvalidPayeeDetails):
    """The account number is not written as one."""

    code = "account_number_invalid"
    message = "This is not an account number."


class CardNumberRefused(InvalidPayeeDetails):
    """The number is that of a card. Card numbers are never stored here."""

    code = "card_number_refused"
    message = "This looks like a card number. Give the IBAN or the account number."


class BankUnknown(InvalidPayeeDetails):
    """The bank's code is not listed."""

    code = "bank_unknown"
    message = "This bank is not known."


class IssuerUnknown(InvalidPayeeDetails):
    """The wallet's issuer is not listed."""

    code = "wallet_issuer_unknown"
    message = "This issuer of wallets is not known."


class PhoneInvalid(InvalidPayeeDetails):
    """The phone number is not that of an Egyptian mobile phone."""

    code = "msisdn_invalid"
    message = "This is not an Egyptian mobile number."


class NameInvalid(InvalidPayeeDetails):
    """The name has something else than letters, or too few or too many words or letters."""

    code = "name_invalid"
    message = "This is not a full name."


class NationalIdInvalid(InvalidPayeeDetails):
    """The number cannot be that of an Egyptian national id."""

    code = "national_id_invalid"
    message = "This is not a national ID number."


class DestinationCannotTakeRefund(PaymentError):
    """A refund that waits for this client is below the least, or above the most, that can be paid out there."""

    code = "destination_cannot_take_refund"
    message = "Your refund is too small or too large to be paid out there. Choose another way."


class IdentityMismatch(PaymentError):
    """The number that staff read from a document is not the one that the payee has entered."""

    code = "identity_mismatch"
    message = "The number on the document is not the one that was entered."


_CLASSES: dict[str, type[InvalidPayeeDetails]] = {found.code: found for found in InvalidPayeeDetails.__subclasses__()}


def require_none(faults: Iterable[Fault | None]) -> None:
    """Raise the refusal for these faults, if there are any; None is no fault."""
    found = [fault for fault in faults if fault is not None]
    if not found:
        return
    codes = {fault.code for fault in found}
    refusal = _CLASSES[codes.pop()] if len(codes) == 1 else InvalidPayeeDetails
    raise refusal(found)
