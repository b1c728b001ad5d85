"""Money: exact, in one currency, parsed strictly."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from multitask.money import (
    MAX_MINOR,
    AmountInvalid,
    AmountTooLarge,
    AmountTooPrecise,
    AmountTooSmall,
    Currency,
    CurrencyMismatch,
    CurrencyUnknown,
    Money,
    MoneyError,
)

DECIMALS = {"JPY": 0, "ISK": 0, "USD": 2, "EUR": 2, "EGP": 2, "KWD": 3, "IQD": 3, "CLF": 4}
# Currencies for which CLDR has other decimals than ISO 4217.
CLDR_LEAVES_OUT = {"AFN", "ALL", "IQD", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SLL", "SOS", "SYP", "YER"}

minor_units = st.integers(-MAX_MINOR, MAX_MINOR)
currencies = st.sampled_from(sorted(DECIMALS))


@pytest.mark.parametrize(("code", "decimals"), DECIMALS.items())
def test_decimals_are_those_of_iso_4217(code: str, decimals: int) -> None:
    assert Currency.of(code) == Currency(code, decimals)


def test_decimals_agree_with_cldr_where_both_mean_the_same() -> None:
    fractions = get_global("currency_fractions")
    cldr = {currency.code: fractions.get(currency.code, fractions["DEFAULT"])[0] for currency in Currency.all()}
    assert {currency.code for currency in Currency.all() if currency.decimals != cldr[currency.code]} == CLDR_LEAVES_OUT


def test_currencies_in_use_and_those_of_recent_books_are_known() -> None:
    codes = [currency.code for currency in Currency.all()]
    assert codes == sorted(codes)
    assert {"USD", "EUR", "GBP", "EGP", "HRK", "BGN", "CLF"} <= set(codes)
    assert not {"DEM", "XAU", "XXX", "XTS"} & set(codes)


@pytest.mark.parametrize(
    "code", ["USDT", "usd", "US", "", " USD", "USD\n", "ＵＳＤ", "DEM", "XXX", None, 840, b"USD", ["USD"]]
)
def test_other_codes_are_unknown(code: Any) -> None:
    for use in (Currency.of, Money.zero, lambda unknown: Money(1, unknown), lambda unknown: Money.parse("1", unknown)):
        with pytest.raises(CurrencyUnknown) as refused:
            use(code)
        assert refused.value.code == "currency_unknown"


@pytest.mark.parametrize(
    ("written", "currency", "amount_minor"),
    [
        ("85.00", "USD", 8_500),
        ("85.5", "USD", 8_550),
        ("85", "USD", 8_500),
        ("0.01", "USD", 1),
        (85, "USD", 8_500),
        (Decimal("85.05"), "USD", 8_505),
        (Decimal("85"), "JPY", 85),
        ("85", "JPY", 85),
        ("0.001", "KWD", 1),
        ("1.5", "KWD", 1_500),
        ("0.0001", "CLF", 1),
        ("92233720368547758.07", "USD", MAX_MINOR),
        ("9223372036854775807", "JPY", MAX_MINOR),
        (MAX_MINOR, "JPY", MAX_MINOR),
    ],
)
def test_amounts_are_read_exactly(written: Any, currency: str, amount_minor: int) -> None:
    assert Money.parse(written, currency) == Money(amount_minor, currency)


@pytest.mark.parametrize(
    ("written", "refusal", "code"),
    [
        *[
            (text, AmountInvalid, "amount_invalid")
            for text in (
                "",
                " ",
                " 85",
                "85 ",
                "85\n",
                "+85",
                "--85",
                "1e2",
                "1E2",
                "0x10",
                "1_000",
                "1,000",
                "85,00",
                "1 000",
                "١٢٣",
                "１２３",
                "²",
                ".5",
                "5.",
                "5.5.5",
                "085",
                "00",
                "NaN",
                "Infinity",
                "85.00 USD",
                "$85",
                "85\x00",
                "\ud800",
                "−85",
            )
        ],
        *[(value, AmountInvalid, "amount_invalid") for value in (True, False, None, 85.0, b"85", ["85"], Fraction(85))],
        *[
            (Decimal(text), AmountInvalid, "amount_invalid")
            for text in ("NaN", "sNaN", "-NaN", "Infinity", "-Infinity")
        ],
        *[(Decimal(text), AmountInvalid, "amount_invalid") for text in ("1E+2", "1e400", "0E+3", "-1E+2")],
        *[
            (value, AmountTooPrecise, "amount_too_precise")
            for value in ("85.001", "85.000", "0.001", Decimal("85.001"))
        ],
        *[(Decimal(text), AmountTooPrecise, "amount_too_precise") for text in ("1E-999999", "0.000", "1E-5")],
        *[(value, AmountTooSmall, "amount_too_small") for value in ("0", "0.00", "-0", "-1", "-0.01", 0, -1)],
        *[(Decimal(text), AmountTooSmall, "amount_too_small") for text in ("0", "-0", "-1", "-0.01", "0.00")],
        *[(value, AmountTooSmall, "amount_too_small") for value in ("-" + "9" * 400, -(2**63))],
        *[(value, AmountTooLarge, "amount_too_large") for value in ("92233720368547758.08", "9" * 5000)],
        *[(value, AmountTooLarge, "amount_too_large") for value in (2**63, MAX_MINOR, Decimal("9" * 40))],
    ],
)
def test_whatever_else_is_written_is_refused_with_a_code(written: Any, refusal: type[MoneyError], code: str) -> None:
    with pytest.raises(refusal) as refused:
        Money.parse(written, "USD")
    assert refused.value.code == code
    assert refused.value.message


def test_numbers_that_python_itself_would_not_print_are_refused() -> None:
    with pytest.raises(AmountTooLarge):
        Money.parse(10**5000, "USD")
    with pytest.raises(AmountTooSmall):
        Money.parse(-(10**5000), "USD")


def test_a_currency_without_decimals_takes_none() -> None:
    with pytest.raises(AmountTooPrecise):
        Money.parse("85.0", "JPY")


def test_the_smallest_amount_is_the_callers_to_say() -> None:
    assert Money.parse("0", "USD", minimum_minor=0) == Money.zero("USD")
    assert Money.parse("0.50", "USD", minimum_minor=50) == Money(50, "USD")
    with pytest.raises(AmountTooSmall):
        Money.parse("0.49", "USD", minimum_minor=50)
    with pytest.raises(AmountTooSmall):
        Money.parse("-1", "USD", minimum_minor=-500)


@given(amount=st.integers(1, MAX_MINOR), currency=currencies)
def test_what_is_written_reads_back(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    assert Money.parse(money.to_major_string(), currency) == money
    assert Money.parse(Decimal(money.to_major_string()), currency) == money


@given(amount=minor_units, currency=currencies)
def test_all_decimals_are_written(amount: int, currency: str) -> None:
    text = Money(amount, currency).to_major_string()
    assert Decimal(text).scaleb(DECIMALS[currency]) == amount
    assert len(text.partition(".")[2]) == DECIMALS[currency]


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(8_500, "USD"), "85.00 USD"),
        (Money(-5, "USD"), "-0.05 USD"),
        (Money(0, "KWD"), "0.000 KWD"),
        (Money(-7, "JPY"), "-7 JPY"),
    ],
)
def test_money_prints_with_its_currency(money: Money, text: str) -> None:
    assert str(money) == text


@pytest.mark.parametrize("amount", [True, 1.0, Decimal(1), "1", None])
def test_minor_units_are_whole_numbers(amount: Any) -> None:
    with pytest.raises(AmountInvalid):
        Money(amount, "USD")


@pytest.mark.parametrize("amount", [MAX_MINOR + 1, -MAX_MINOR - 1])
def test_minor_units_fit_the_database(amount: int) -> None:
    with pytest.raises(AmountTooLarge):
        Money(amount, "USD")


def test_sums_that_would_not_fit_are_refused() -> None:
    most = Money(MAX_MINOR, "USD")
    assert -most == Money(-MAX_MINOR, "USD")
    with pytest.raises(AmountTooLarge):
        most + Money(1, "USD")
    with pytest.raises(AmountTooLarge):
        -most - Money(1, "USD")


@given(one=st.integers(-(10**15), 10**15), other=st.integers(-(10**15), 10**15))
def test_money_adds_and_compares_like_its_minor_units(one: int, other: int) -> None:
    left, right = Money(one, "USD"), Money(other, "USD")
    assert (left + right).amount_minor == one + other
    assert (left - right).amount_minor == one - other
    assert (-left).amount_minor == -one
    assert (left < right, left <= right, left > right, left >= right) == (
        one < other,
        one <= other,
        one > other,
        one >= other,
    )
    assert (left == right) == (one == other)


def test_currencies_do_not_mix() -> None:
    dollar, euro = Money(1, "USD"), Money(1, "EUR")
    combinations: list[Callable[[], Any]] = [
        lambda: dollar + euro,
        lambda: dollar - euro,
        lambda: dollar < euro,
        lambda: dollar <= euro,
        lambda: dollar > euro,
        lambda: dollar >= euro,
    ]
    for combine in combinations:
        with pytest.raises(CurrencyMismatch) as refused:
            combine()
        assert refused.value.code == "currency_mismatch"
    assert dollar != euro


def test_money_does_not_mix_with_numbers() -> None:
    anything: Any = Money(1, "USD")
    combinations: list[Callable[[], Any]] = [lambda: anything + 1, lambda: anything - 1.5, lambda: anything < 1]
    combinations.append(lambda: sum([anything], start=0))
    for combine in combinations:
        with pytest.raises(TypeError):
            combine()


def test_money_does_not_change() -> None:
    money = Money(1, "USD")
    with pytest.raises(AttributeError):
        money.amount_minor = 2  # type: ignore[misc]
    assert not hasattr(money, "__dict__")
    assert {money: "found"}[Money(1, "USD")] == "found"


@given(amount=minor_units, weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any))
def test_parts_add_up_and_none_is_off_by_a_unit(amount: int, weights: list[int]) -> None:
    parts = Money(amount, "USD").allocate(weights)
    assert sum(part.amount_minor for part in parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.amount_minor - Fraction(amount * weight, sum(weights))) < 1
        assert weight or part.amount_minor == 0


def test_leftover_units_go_to_the_largest_losses_the_earlier_first() -> None:
    assert [part.amount_minor for part in Money(100, "USD").allocate([1, 1, 1])] == [34, 33, 33]
    assert [part.amount_minor for part in Money(-100, "USD").allocate([1, 1, 1])] == [-34, -33, -33]
    assert [part.amount_minor for part in Money(101, "USD").allocate([1, 2, 3])] == [17, 34, 50]
    assert [part.amount_minor for part in Money(10, "USD").allocate([1, 5, 3])] == [1, 6, 3]


def test_ten_thousand_cents_split_ten_thousand_ways() -> None:
    assert set(Money(10_000, "USD").allocate([1] * 10_000)) == {Money(1, "USD")}


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [1, -1], [2, -1], [1, True], [0.5, 0.5]])
def test_impossible_weights_are_refused(weights: list[Any]) -> None:
    with pytest.raises(ValueError, match="weights"):
        Money(100, "USD").allocate(weights)


@pytest.mark.parametrize(
    ("locale", "currency", "written"),
    [
        ("en", "USD", "\u2212$400.00"),
        ("ar", "USD", "\u2067\u200f\u200e\u2212400.00\u200f\xa0US$\u200e\u2069"),
        ("ar", "EGP", "\u2067\u200f\u200e\u2212400.00\u200f\xa0\u062c.\u0645\u200e\u2069"),
    ],
)
def test_a_sign_stays_before_its_number_and_a_symbol_in_one_piece(locale: str, currency: str, written: str) -> None:
    assert Money(40_000, currency).localized(locale, "\u2212") == written
