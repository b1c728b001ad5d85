"""What payees may enter as payout destination."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitask.payments.payouts import destination_rules, egyptian_banks
from multitask.payments.payouts.payee_errors import InvalidPayeeDetails
from multitask.payments.provider.destinations import DestinationDetails, DestinationKind, WalletIssuer

IBAN = "EG380019000500000000263180002"
BANK = {"iban": IBAN, "bank_code": "CIB", "full_name": "Mona Adel Hassan"}
WALLET = {"issuer": "vodafone", "msisdn": "01012345678"}


def refused(kind: str, given: dict[str, str]) -> tuple[str, dict[str, str]]:
    """The code and the fields of a refusal."""
    with pytest.raises(InvalidPayeeDetails) as refusal:
        destination_rules.read(kind, given)
    return refusal.value.code, refusal.value.fields


def with_check_digits(account: str) -> str:
    """The Egyptian IBAN of 25 digits."""
    return f"EG{98 - int(account + '141600') % 97:02d}{account}"


@pytest.mark.parametrize("kind", ["bank", "instapay"])
@pytest.mark.parametrize(
    "written",
    [IBAN, IBAN.lower(), "EG38 0019 0005 0000 0000 2631 8000 2", "EG٣٨٠٠١٩٠٠٠٥٠٠٠٠٠٠٠٠٢٦٣١٨٠٠٠٢", f" {IBAN}\u00a0"],
)
def test_an_iban_is_read_as_people_write_it(kind: str, written: str) -> None:
    found = destination_rules.read(kind, BANK | {"iban": written})
    assert found == DestinationDetails(
        kind=DestinationKind(kind), number=IBAN, bank_code="CIB", full_name="Mona Adel Hassan"
    )


@given(st.from_regex(r"[0-9]{25}", fullmatch=True))
def test_an_iban_with_its_check_digits_is_accepted_and_with_others_refused(account: str) -> None:
    iban = with_check_digits(account)
    assert destination_rules.read("bank", BANK | {"iban": iban}).number == iban
    others = f"EG{(int(iban[2:4]) + 1) % 97:02d}{account}"
    assert refused("bank", BANK | {"iban": others})[0] == "iban_invalid"


@given(st.integers(4, 28), st.integers(1, 9))
def test_one_wrong_digit_of_an_iban_is_noticed(place: int, change: int) -> None:
    wrong = f"{IBAN[:place]}{(int(IBAN[place]) + change) % 10}{IBAN[place + 1 :]}"
    assert refused("bank", BANK | {"iban": wrong})[1] == {
        "iban": "There is a mistake in this IBAN: its check digits do not fit."
    }


@pytest.mark.parametrize("iban", ["DE89370400440532013000", IBAN[:-1], f"{IBAN}0", "EG38ABCD000500000000263180002"])
def test_another_iban_than_an_egyptian_one_is_refused(iban: str) -> None:
    assert refused("bank", BANK | {"iban": iban}) == (
        "iban_invalid",
        {"iban": "An Egyptian IBAN is EG and 27 digits."},
    )


@pytest.mark.parametrize("written", ["1234567890", "12-3456-7890", "١٢٣٤٥٦٧٨٩٠", "۱۲۳ ۴۵۶ ۷۸۹ ۰"])
def test_an_account_number_may_stand_for_the_iban(written: str) -> None:
    given = {"account_number": written, "bank_code": "nbe", "full_name": " منى  عادل "}
    found = destination_rules.read("bank", given)
    assert (found.number, found.bank_code, found.full_name) == ("1234567890", "NBE", "منى عادل")


@pytest.mark.parametrize("number", ["12345", "1" * 25, "12345X78"])
def test_what_is_no_account_number_is_refused(number: str) -> None:
    given = {"account_number": number, "bank_code": "NBE", "full_name": "Mona Adel"}
    assert refused("bank", given)[0] == "account_number_invalid"


@pytest.mark.parametrize("card", ["4111111111111111", "5123 4567 8901 2346", "٤١١١١١١١١١١١١١١١"])
def test_a_card_number_is_never_taken(card: str) -> None:
    given = {"account_number": card, "bank_code": "NBE", "full_name": "Mona Adel"}
    code, fields = refused("instapay", given)
    assert code == "card_number_refused"
    assert "4111" not in str(fields)


def test_an_account_number_of_sixteen_digits_is_no_card_by_its_length_alone() -> None:
    given = {"account_number": "4111111111111112", "bank_code": "NBE", "full_name": "Mona Adel"}
    assert destination_rules.read("bank", given).number == "4111111111111112"


@pytest.mark.parametrize(
    "written",
    [
        "01012345678",
        "010 1234 5678",
        "+20 101 234 5678",
        "00201012345678",
        "201012345678",
        "٠١٠١٢٣٤٥٦٧٨",
        "(010)12345678",
    ],
)
def test_a_phone_number_is_read_as_people_write_it(written: str) -> None:
    found = destination_rules.read("wallet", WALLET | {"msisdn": written})
    assert found == DestinationDetails(kind=DestinationKind.WALLET, number="01012345678", issuer="vodafone")


@pytest.mark.parametrize("number", ["0101234567", "010123456789", "01312345678", "0223456789", "+4915112345678", "x"])
def test_what_is_no_egyptian_mobile_number_is_refused(number: str) -> None:
    assert refused("wallet", WALLET | {"msisdn": number})[0] == "msisdn_invalid"


@pytest.mark.parametrize(
    ("msisdn", "issuer"),
    [
        ("01012345678", WalletIssuer.VODAFONE),
        ("01112345678", WalletIssuer.ETISALAT),
        ("01212345678", WalletIssuer.ORANGE),
        ("01512345678", WalletIssuer.BANK_WALLET),
    ],
)
def test_the_prefix_is_a_hint_and_never_a_reason_to_refuse(msisdn: str, issuer: WalletIssuer) -> None:
    assert destination_rules.usual_issuer(msisdn) is issuer
    for other in WalletIssuer:
        assert destination_rules.read("wallet", {"issuer": other, "msisdn": msisdn}).issuer == other


@pytest.mark.parametrize(
    ("kind", "changes", "code", "fields"),
    [
        ("paypal", {}, "destination_kind_unknown", {"kind"}),
        ("bank", {"iban": ""}, "required", {"iban"}),
        ("bank", {"iban": "", "bank_code": " ", "full_name": ""}, "required", {"iban", "bank_code", "full_name"}),
        ("bank", {"account_number": "1234567890"}, "unknown_field", {"account_number"}),
        ("bank", {"msisdn": "01012345678"}, "unknown_field", {"msisdn"}),
        (
            "wallet",
            {"issuer": "vodafone", "msisdn": "01012345678"},
            "unknown_field",
            {"iban", "bank_code"},
        ),
        ("bank", {"bank_code": "XYZ"}, "bank_unknown", {"bank_code"}),
        ("bank", {"full_name": "Mona"}, "name_invalid", {"full_name"}),
        ("bank", {"full_name": "Mona Adel 2"}, "name_invalid", {"full_name"}),
        ("bank", {"full_name": "Mona\u202eAdel"}, "invalid_text", {"full_name"}),
        ("bank", {"full_name": "Mona\x07Adel"}, "invalid_text", {"full_name"}),
        ("bank", {"full_name": "M" * 101}, "invalid_text", {"full_name"}),
        ("bank", {"iban": "EG1", "bank_code": "XYZ"}, "invalid_payee_details", {"iban", "bank_code"}),
    ],
)
def test_each_refusal_has_its_code_and_its_fields(
    kind: str, changes: dict[str, str], code: str, fields: set[str]
) -> None:
    found_code, found_fields = refused(kind, BANK | changes)
    assert (found_code, set(found_fields)) == (code, fields)


def test_an_unknown_issuer_is_refused() -> None:
    assert refused("wallet", WALLET | {"issuer": "fawry"})[0] == "wallet_issuer_unknown"


@pytest.mark.parametrize("name", ["Mona Adel", "منى عادل حسن", "Anne-Marie O'Neil Jr.", "José  Núñez"])
def test_names_of_several_scripts_are_accepted(name: str) -> None:
    assert destination_rules.read("bank", BANK | {"full_name": name}).full_name == " ".join(name.split())


@pytest.mark.parametrize(
    ("number", "masked"),
    [(IBAN, "•••• 0002"), ("01012345678", "•••• 678"), ("29001010112345", "•••• 2345"), ("123456", "•••• 56")],
)
def test_at_most_a_third_of_a_number_is_shown_and_at_most_four_digits(number: str, masked: str) -> None:
    assert destination_rules.masked_number(number) == masked


def test_details_show_nothing_when_they_are_printed() -> None:
    details = destination_rules.read("bank", BANK)
    assert f"{details!r} {details} {[details]}" == (
        "DestinationDetails(bank) DestinationDetails(bank) [DestinationDetails(bank)]"
    )


def test_every_bank_has_a_code_of_its_own_and_two_names() -> None:
    assert len(egyptian_banks.BY_CODE) == len(egyptian_banks.BANKS) >= 40
    assert len({bank.english for bank in egyptian_banks.BANKS}) == len(egyptian_banks.BANKS)
    assert all(any("\u0600" <= letter <= "\u06ff" for letter in bank.arabic) for bank in egyptian_banks.BANKS)
    assert egyptian_banks.name("MISR", "ar") == "بنك مصر"
    assert (egyptian_banks.name("MISR", "en"), egyptian_banks.name("GONE", "ar")) == ("Banque Misr", "GONE")
