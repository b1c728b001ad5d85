"""Amounts as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitask.money import Money, MoneyError

ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


@pytest.mark.parametrize(
    ("written", "currency", "meant"),
    [
        ("85", "EGP", "85.00"),
        ("٨٥", "EGP", "85.00"),
        ("۸۵", "EGP", "85.00"),
        ("٨٥٫٥٠", "EGP", "85.50"),
        ("٨٥.٥", "EGP", "85.50"),
        ("٨٥،٥٠", "EGP", "85.50"),
        ("١٬٢٣٤٫٥٠", "EGP", "1234.50"),
        ("١٬٢٣٤", "EGP", "1234.00"),
        ("١٬٢٣٤٬٥٦٧", "EGP", "1234567.00"),
        ("١،٢٣٤٬٥٦٧", "EGP", None),
        ("٥ ٠٠٠", "EGP", "5000.00"),
        ("5\u00a0000,25", "EUR", "5000.25"),
        ("1,234.50", "EGP", "1234.50"),
        ("1.234,50", "EUR", "1234.50"),
        ("1.234.567", "EUR", "1234567.00"),
        ("85,5", "EGP", "85.50"),
        ("1234,567", "KWD", "1234.567"),
        ("0,500", "KWD", "0.500"),
        ("1.234", "KWD", "1.234"),
        ("\u200f٨٥\u200f ج.م.\u200f", "EGP", "85.00"),
        ("٨٥ ج.م", "EGP", "85.00"),
        ("٨٥ جنيهًا", "EGP", "85.00"),
        ("٨٥ جنيه مصري", "EGP", "85.00"),
        ("E£ 85", "EGP", "85.00"),
        ("£E85.00", "EGP", "85.00"),
        ("85 egp", "EGP", "85.00"),
        ("$85", "USD", "85.00"),
        ("85 €", "EUR", "85.00"),
        # Thousands, or a fraction?
        ("1,234", "EGP", None),
        ("١،٢٣٤", "EGP", None),
        ("1,234", "KWD", None),
        # Of another currency, or of several.
        ("£85", "EGP", None),
        ("85 USD", "EGP", None),
        ("$85", "CAD", None),
        ("85 جنيه", "GBP", None),
        ("85 دينار", "KWD", None),
        ("EGP 85 EGP", "EGP", None),
        # Not numbers, or not well written ones.
        ("٢٬٣4", "EGP", None),
        ("12,34,567", "EGP", None),
        ("1,234 567", "EGP", None),
        ("1,2.3,4", "EGP", None),
        ("٠٨٥", "EGP", None),
        ("٫٥", "EGP", None),
        ("٥٫", "EGP", None),
        ("85 قرش", "EGP", None),
        ("نحو ٨٥", "EGP", None),
        ("85 85", "EGP", None),
        ("+٨٥", "EGP", None),
        ("٨٥%", "EGP", None),
        ("²", "EGP", None),
        ("", "EGP", None),
    ],
)
def test_what_has_one_meaning_is_read(written: str, currency: str, meant: str | None) -> None:
    if meant is None:
        with pytest.raises(MoneyError) as refused:
            Money.read(written, currency)
        assert refused.value.code == "amount_invalid"
    else:
        assert Money.read(written, currency) == Money.parse(meant, currency)


@pytest.mark.parametrize(
    ("written", "currency", "code"),
    [("٠", "EGP", "amount_too_small"), ("-٥", "EGP", "amount_invalid"), ("-5", "EGP", "amount_too_small"),
     ("٨٥٫٠٠١", "EGP", "amount_too_precise"), ("٨٥٫٥", "JPY", "amount_too_precise"),
     ("٩" * 30, "EGP", "amount_too_large"), ("85", "XXQ", "currency_unknown")],
)  # fmt: skip
def test_refusals_have_the_codes_of_plain_amounts(written: str, currency: str, code: str) -> None:
    with pytest.raises(MoneyError) as refused:
        Money.read(written, currency)
    assert refused.value.code == code


@given(st.integers(1, 2**63 - 1), st.sampled_from(["EGP", "KWD"]), st.sampled_from([ARABIC, PERSIAN]))
def test_each_amount_is_read_as_it_is_shown(minor: int, currency: str, digits: dict[int, int]) -> None:
    money = Money(minor, currency)
    for locale in ("en", "ar", "ar_EG"):
        assert Money.read(money.localized(locale), currency) == money
        assert Money.read(money.localized(locale).translate(digits), currency) == money
    assert Money.read(money.to_major_string().translate(digits), currency) == money


@given(st.text("0123456789.,٫٬، ٨٥-+$", max_size=12))
def test_whatever_is_written_is_read_or_refused(written: str) -> None:
    try:
        amount = Money.read(written, "EGP")
    except MoneyError:
        return
    assert amount.amount_minor > 0
    digits = "".join(str(int(character)) for character in written if character.isdigit())
    assert amount.to_major_string().replace(".", "").rstrip("0") in digits + "00"


@given(st.text(max_size=20))
def test_a_plain_amount_is_read_as_it_is_parsed(written: str) -> None:
    try:
        parsed = Money.parse(written, "EGP")
    except MoneyError:
        return
    assert Money.read(written, "EGP") == parsed
