"""What payees may enter as payout destination: pure rules, without the database.

Numbers are accepted as people write and copy them: with spaces and hyphens, in Arabic-Indic digits, with invisible
direction marks, phone numbers with the country's prefix. They are stored in one form.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from multitask import text
from multitask.payments.payouts import egyptian_banks
from multitask.payments.payouts.payee_errors import Fault, require_none
from multitask.payments.provider.destinations import DestinationDetails, DestinationKind, WalletIssuer

CURRENCIES: Final = ("EGP",)
IBAN_LENGTH: Final = 29
LONGEST_TEXT: Final = 100
_BANK_FIELDS: Final = frozenset({"iban", "account_number", "bank_code", "full_name"})
FIELDS: Final[Mapping[DestinationKind, frozenset[str]]] = {
    DestinationKind.BANK: _BANK_FIELDS,
    DestinationKind.INSTAPAY: _BANK_FIELDS,
    DestinationKind.WALLET: frozenset({"issuer", "msisdn", "full_name"}),
}
_NUMBERS: Final = frozenset({"iban", "account_number", "msisdn"})
# A payout to their wallets needs the holder's name.
ISSUERS_WITH_NAME: Final = frozenset({WalletIssuer.ORANGE, WalletIssuer.BANK_WALLET})
# The network that a prefix was given to. People keep their number when they change networks.
_USUAL_ISSUERS: Final = {
    "010": WalletIssuer.VODAFONE,
    "011": WalletIssuer.ETISALAT,
    "012": WalletIssuer.ORANGE,
    "015": WalletIssuer.BANK_WALLET,  # WE, whose wallet is reached like those of the banks
}
_DIGITS: Final = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
_SEPARATORS: Final = re.compile(r"[\s\-\u2010-\u2015\u00a0]+")
_CARD_BEGINNINGS: Final = re.compile(r"4|5[0-5]|2[2-7]")
_CARD_LENGTH: Final = 16
_MASK: Final = "••••"
_LONGEST_SHOWN: Final = 4


def read(kind: str, given: Mapping[str, str], *, is_name_known: bool = True) -> DestinationDetails:
    """Return the details of a destination in their stored form; empty fields count as not given.

    `is_name_known` is false for somebody whose name no identity tells: it is required where a payout needs it. Raises
    a refusal of `payee_errors` that names every field at fault.
    """
    if kind not in set(DestinationKind):
        require_none([Fault("kind", "destination_kind_unknown", "This is not a kind of payout destination.")])
    chosen = DestinationKind(kind)
    seen = {name: text.visible_number(value) if name in _NUMBERS else value for name, value in given.items()}
    filled = {name: value for name, value in seen.items() if value.strip()}
    require_none(
        Fault(name, "unknown_field", "This kind of destination has no such field.")
        for name in sorted(filled.keys() - FIELDS[chosen])
    )
    require_none(text_fault(name, value) for name, value in filled.items())
    return _wallet(filled, is_name_known) if chosen is DestinationKind.WALLET else _account(chosen, filled)


def stored(kind: str, values: Mapping[str, str], *, bank_code: str, issuer: str) -> DestinationDetails:
    """Return details as they were stored, without checking them again."""
    return DestinationDetails(
        kind=DestinationKind(kind),
        number=values["number"],
        full_name=values["full_name"],
        bank_code=bank_code,
        issuer=issuer,
    )


def number(value: str) -> str:
    """Return a number without separators and invisible characters, in ASCII digits and capital letters."""
    return _SEPARATORS.sub("", text.visible_number(value).translate(_DIGITS)).upper()


def full_name(value: str) -> str:
    """Return a name with single spaces, in the composed form of its letters."""
    return " ".join(unicodedata.normalize("NFC", value).split())


def masked_number(value: str) -> str:
    """Return what may be shown of a number: its last digits, at most a third of it."""
    return f"{_MASK} {value[-min(_LONGEST_SHOWN, len(value) // 3) :]}"


def masked_name(value: str) -> str:
    """Return what may be shown of a name: the first letter of each word."""
    return " ".join(f"{word[0]}•••" for word in value.split())


def usual_issuer(msisdn: str) -> WalletIssuer | None:
    """Return the issuer that most numbers of this prefix have; a hint, since numbers move between networks."""
    return _USUAL_ISSUERS.get(msisdn[:3])


def unusual_issuer(issuer: str, msisdn: str) -> str:
    """Return the issuer that a number's prefix points to, if it is another than the one given; else nothing."""
    usual = usual_issuer(_phone(msisdn))
    return "" if usual is None or usual == issuer else usual.value


def text_fault(field: str, value: str) -> Fault | None:
    """Return what is wrong with a text before it is read, or None."""
    if len(value) > LONGEST_TEXT:
        return Fault(field, "invalid_text", "This is too long.")
    if text.complaint(value, longest=LONGEST_TEXT) is not None:
        return Fault(field, "invalid_text", "There are characters that are not allowed here.")
    return None


def name_fault(field: str, value: str) -> Fault | None:
    """Return what is wrong with a person's full name in its stored form, or None."""
    if not all(unicodedata.category(one)[0] in "LM" or one in " '’.-" for one in value):
        return Fault(field, "name_invalid", "A name has letters only.")
    if len(value.split()) < 2:
        return Fault(field, "name_invalid", "Write the full name, as your bank and your national ID show it.")
    return None


def _wallet(filled: Mapping[str, str], is_name_known: bool) -> DestinationDetails:
    issuer, msisdn = filled.get("issuer", ""), _phone(filled.get("msisdn", ""))
    name = full_name(filled.get("full_name", ""))
    needs_name = issuer in ISSUERS_WITH_NAME and not is_name_known
    require_none(
        [
            _missing("issuer", issuer) or _issuer_fault(issuer),
            _missing("msisdn", msisdn) or _phone_fault(msisdn),
            name_fault("full_name", name) if name else (_missing("full_name", name) if needs_name else None),
        ]
    )
    return DestinationDetails(kind=DestinationKind.WALLET, number=msisdn, issuer=issuer, full_name=name)


def _account(kind: DestinationKind, filled: Mapping[str, str]) -> DestinationDetails:
    iban, account = number(filled.get("iban", "")), number(filled.get("account_number", ""))
    code, name = filled.get("bank_code", "").strip().upper(), full_name(filled.get("full_name", ""))
    require_none(
        [
            (_instapay_fault(iban, account) if kind is DestinationKind.INSTAPAY else None)
            or _number_fault(iban, account),
            _missing("bank_code", code) or _bank_fault(code),
            _missing("full_name", name) or name_fault("full_name", name),
        ]
    )
    return DestinationDetails(kind=kind, number=iban or account, bank_code=code, full_name=name)


def _instapay_fault(iban: str, account: str) -> Fault | None:
    """Return whether somebody gave what they know InstaPay by, and not the account that it pays to."""
    field, code = ("iban", "iban_invalid") if iban else ("account_number", "account_number_invalid")
    given = iban or account
    if "@" in given:
        return Fault(field, code, "This is an InstaPay address. Give the IBAN or the number of the bank account.")
    if _is_mobile_number(_phone(given)):
        # It would be taken for the number of somebody's account.
        return Fault(field, code, "This is a mobile number. Give the IBAN or the number of the bank account.")
    return None


def _number_fault(iban: str, account: str) -> Fault | None:
    """Return what is wrong with the IBAN or the account number, of which one has to be given."""
    if iban and account:
        return Fault("account_number", "unknown_field", "Give the IBAN or the account number, not both.")
    if account:
        return _account_fault(account)
    return _missing("iban", iban) or _iban_fault(iban)


def _iban_fault(iban: str) -> Fault | None:
    if not re.fullmatch(rf"EG[0-9]{{{IBAN_LENGTH - 2}}}", iban):
        return Fault("iban", "iban_invalid", "An Egyptian IBAN is EG and 27 digits.")
    # ISO 7064: letters count from ten, and the first four characters go to the end.
    digits = "".join(str(int(one, 36)) for one in iban[4:] + iban[:4])
    if int(digits) % 97 != 1:
        return Fault("iban", "iban_invalid", "There is a mistake in this IBAN: its check digits do not fit.")
    return None


def _account_fault(account: str) -> Fault | None:
    if not re.fullmatch(r"[0-9]{6,24}", account):
        return Fault("account_number", "account_number_invalid", "An account number has 6 to 24 digits.")
    if _is_card_number(account):
        message = "This looks like a card number, which we do not store. Give the IBAN or the account number."
        return Fault("account_number", "card_number_refused", message)
    return None


def _is_card_number(account: str) -> bool:
    """Return whether a number has the length, a beginning and the check digit (Luhn) of a card number."""
    if len(account) != _CARD_LENGTH or not _CARD_BEGINNINGS.match(account):
        return False
    doubled = [int(one) * (2 - place % 2) for place, one in enumerate(account)]
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def _bank_fault(code: str) -> Fault | None:
    if code in egyptian_banks.BY_CODE:
        return None
    return Fault("bank_code", "bank_unknown", "This bank is not known.")


def _issuer_fault(issuer: str) -> Fault | None:
    if issuer in set(WalletIssuer):
        return None
    return Fault("issuer", "wallet_issuer_unknown", "This issuer of wallets is not known.")


def _phone(value: str) -> str:
    """Return a phone number as it is dialled within the country."""
    return re.sub(r"^(?:\+|00)?20(?=1)", "0", re.sub(r"[().]", "", number(value)))


def _phone_fault(msisdn: str) -> Fault | None:
    if _is_mobile_number(msisdn):
        return None
    return Fault(
        "msisdn", "msisdn_invalid", "An Egyptian mobile number has 11 digits and begins with 010, 011, 012 or 015."
    )


def _is_mobile_number(msisdn: str) -> bool:
    return re.fullmatch(r"01[0125][0-9]{8}", msisdn) is not None


def _missing(field: str, value: str) -> Fault | None:
    return None if value else Fault(field, "required", "This is required.")
