"""Piastres and pounds: a mistake between the two is a hundredfold one."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitask.money import Money
from multitask.payments.provider import DestinationKind, Rejected, Unknown
from multitask.providers.paymob import amounts


def egp(minor: int) -> Money:
    return Money(minor, "EGP")


@pytest.mark.parametrize(
    ("minor", "pounds"),
    [(1, "0.01"), (5, "0.05"), (10, "0.10"), (99, "0.99"), (100, "1.00"), (12_345, "123.45"), (1_000_000, "10000.00")],
)
def test_pounds_have_two_decimals_and_a_hundredth_of_the_piastres(minor: int, pounds: str) -> None:
    assert amounts.to_pounds(egp(minor)) == pounds
    assert amounts.from_pounds(pounds) == egp(minor)


@given(st.integers(min_value=1, max_value=10**14))
def test_pounds_lead_back_to_the_same_piastres(minor: int) -> None:
    assert amounts.from_pounds(amounts.to_pounds(egp(minor))) == egp(minor)
    assert amounts.from_piastres(amounts.to_piastres(egp(minor))) == egp(minor)


@pytest.mark.parametrize(
    ("value", "minor"),
    [
        (100, 10_000),
        ("100", 10_000),
        (Decimal("100.5"), 10_050),
        ("100.50", 10_050),
        ("100.5000", 10_050),
        (Decimal("1E+2"), 10_000),
        ("-5.25", -525),
        ("0", 0),
    ],
)
def test_pounds_are_read_as_numbers_and_as_texts(value: object, minor: int) -> None:
    assert amounts.from_pounds(value) == egp(minor)


@pytest.mark.parametrize(
    "value", [100.5, "100.505", Decimal("0.001"), "1,000.00", "", " 1", "1.", ".5", "١", True, None, [], "1e3", "NaN"]
)
def test_what_is_not_exactly_pounds_and_piastres_is_not_read(value: object) -> None:
    assert amounts.from_pounds(value) is None


def test_no_number_that_is_too_precise_is_read() -> None:
    assert amounts.from_pounds(Decimal("NaN")) is None
    assert amounts.from_pounds(Decimal("Infinity")) is None


@pytest.mark.parametrize(("value", "minor"), [(25_050, 25_050), ("25050", 25_050), (Decimal("25050"), 25_050), (0, 0)])
def test_piastres_are_whole_numbers(value: object, minor: int) -> None:
    assert amounts.from_piastres(value) == egp(minor)


@pytest.mark.parametrize("value", [250.5, Decimal("250.5"), "250.50", True, None, "", "x", Decimal("NaN")])
def test_what_is_not_whole_is_not_piastres(value: object) -> None:
    assert amounts.from_piastres(value) is None


@pytest.mark.parametrize("convert", [amounts.to_piastres, amounts.charge_to_piastres, amounts.to_pounds])
@pytest.mark.parametrize("amount", [Money(100, "USD"), Money(0, "EGP"), Money(-100, "EGP")])
def test_other_currencies_and_nothing_at_all_are_refused(convert: object, amount: Money) -> None:
    with pytest.raises(Rejected):
        convert(amount)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("kind", "least"),
    [(DestinationKind.WALLET, 100), (DestinationKind.BANK, 500), (DestinationKind.INSTAPAY, 11_200)],
)
def test_each_way_of_paying_out_has_its_least(kind: DestinationKind, least: int) -> None:
    amounts.require_payout(egp(least), kind)
    with pytest.raises(Rejected, match="amount_too_small"):
        amounts.require_payout(egp(least - 1), kind)


def test_a_wallet_takes_no_more_than_its_most() -> None:
    amounts.require_payout(egp(6_000_000), DestinationKind.WALLET)
    with pytest.raises(Rejected, match="amount_too_large"):
        amounts.require_payout(egp(6_000_001), DestinationKind.WALLET)
    amounts.require_payout(egp(6_000_001), DestinationKind.BANK)


@pytest.mark.parametrize(
    ("sentence", "minor"),
    [
        ("Your current budget is 888.25 LE", 88_825),
        ("Your current budget is 0 LE", 0),
        ("your current budget is 1,234,567.80 EGP.", 123_456_780),
        (" Your current budget is -3.50 LE ", -350),
        ("Your current budget is 1000000 LE", 100_000_000),
    ],
)
def test_the_budget_is_read_from_its_sentence(sentence: str, minor: int) -> None:
    assert amounts.from_budget(sentence) == egp(minor)


@pytest.mark.parametrize(
    "sentence",
    [
        "Your current budget is 888.25 USD",
        "Your budget is 888.25 LE",
        "Your current budget is 8,88.25 LE",
        "Your current budget is 888.255 LE",
        "Your current budget is 888.25 LE, and 5 LE are reserved",
        "",
        None,
        888.25,
    ],
)
def test_any_other_sentence_is_no_budget(sentence: object) -> None:
    with pytest.raises(Unknown, match="unexpected_budget"):
        amounts.from_budget(sentence)
