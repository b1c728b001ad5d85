"""What payees may enter as their identity."""

from datetime import date

import pytest

from multitask.payments.payouts import identity_rules
from multitask.payments.payouts.payee_errors import InvalidPayeeDetails

TODAY = date(2030, 1, 1)


def read(number: str, name: str = "Mona Adel Hassan") -> tuple[str, str]:
    return identity_rules.read(legal_name=name, national_id=number, today=TODAY)


@pytest.mark.parametrize("number", ["29001010112345", "30512310112340", "29001018812345", "2 900101 01 1234 5"])
def test_a_plausible_number_is_accepted_whatever_its_check_digit(number: str) -> None:
    assert read(number)[1] == number.replace(" ", "")


def test_arabic_digits_and_names_are_stored_in_one_form() -> None:
    assert read("٢٩٠٠١٠١٠١١٢٣٤٥", " منى   عادل ") == ("منى عادل", "29001010112345")


@pytest.mark.parametrize(
    "number",
    [
        "2900101011234",  # a digit too few
        "290010101123456",  # and too many
        "19001010112345",  # no century
        "29013010112345",  # no month
        "29002300112345",  # no day
        "32912310112345X",
        "33001010112345",  # born today
        "29001010512345",  # no governorate
        "29001019912345",
    ],
)
def test_an_impossible_number_is_refused_without_being_repeated(number: str) -> None:
    with pytest.raises(InvalidPayeeDetails) as refusal:
        read(number)
    assert refusal.value.code == "national_id_invalid"
    assert set(refusal.value.fields) == {"national_id"}
    assert number not in f"{refusal.value} {refusal.value.fields} {refusal.value.detail}"


@pytest.mark.parametrize(
    ("name", "number", "code", "fields"),
    [
        ("", "", "required", {"legal_name", "national_id"}),
        ("Mona", "29001010112345", "name_invalid", {"legal_name"}),
        ("Mona\x00Adel", "29001010112345", "invalid_text", {"legal_name"}),
        ("Mona", "1", "invalid_payee_details", {"legal_name", "national_id"}),
    ],
)
def test_each_refusal_has_its_code_and_its_fields(name: str, number: str, code: str, fields: set[str]) -> None:
    with pytest.raises(InvalidPayeeDetails) as refusal:
        read(number, name)
    assert (refusal.value.code, set(refusal.value.fields)) == (code, fields)
