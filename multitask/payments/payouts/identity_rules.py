"""What payees may enter as their identity: pure rules, without the database.

An Egyptian national id number has 14 digits: the century of birth (2 for 1900 to 1999, 3 for 2000 to 2099), the day of
birth as YYMMDD, the governorate of birth, a number within that day, and a check digit. How the check digit is computed
is not published, so it is not checked: a guess would refuse people whose number is right.
"""

import re
from datetime import date
from typing import Final

from multitask import text
from multitask.payments.payouts import destination_rules
from multitask.payments.payouts.payee_errors import Fault, require_none

_CENTURIES: Final = {"2": 1900, "3": 2000}
_GOVERNORATES: Final = frozenset(
    f"{code:02d}" for code in (*range(1, 5), *range(11, 20), *range(21, 30), *range(31, 36), 88)
)


def read(*, legal_name: str, national_id: str, today: date) -> tuple[str, str]:
    """Return name and number in their stored form. Raises a refusal of `payee_errors` with every field at fault."""
    given = {"legal_name": legal_name, "national_id": text.visible_number(national_id)}
    require_none(_text_fault(field, value) for field, value in given.items())
    name, number = destination_rules.full_name(legal_name), destination_rules.number(national_id)
    require_none([destination_rules.name_fault("legal_name", name), _number_fault(number, today)])
    return name, number


def _text_fault(field: str, value: str) -> Fault | None:
    if not value.strip():
        return Fault(field, "required", "This is required.")
    return destination_rules.text_fault(field, value)


def _number_fault(number: str, today: date) -> Fault | None:
    if not re.fullmatch(r"[23][0-9]{13}", number):
        return _fault("A national ID number has 14 digits and begins with 2 or 3.")
    born = _birthday(number)
    if born is None or born >= today:
        return _fault("There is a mistake in this number: digits 2 to 7 are not a day of birth.")
    if number[7:9] not in _GOVERNORATES:
        return _fault("There is a mistake in this number: digits 8 and 9 are not a governorate.")
    return None


def _birthday(number: str) -> date | None:
    try:
        return date(_CENTURIES[number[0]] + int(number[1:3]), int(number[3:5]), int(number[5:7]))
    except ValueError:
        return None


def _fault(message: str) -> Fault:
    return Fault("national_id", "national_id_invalid", message)
