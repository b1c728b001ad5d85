"""Stripe's integers and ours: exact both ways, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitask.money import Currency, Money
from multitask.payments.provider import AmountRules, Rejected
from multitask.providers.stripe import currencies


@pytest.mark.parametrize(
    ("amount_minor", "currency", "stripes"),
    [
        (8_500, "USD", 8_500),
        (500, "JPY", 500),
        (500, "ISK", 50_000),
        (12, "UGX", 1_200),
        (1_230, "KWD", 1_230),
        (1_200, "MGA", 12),
        (175_00, "HUF", 17_500),
        (1_999, "TWD", 1_999),
    ],
)
def test_an_amount_is_said_in_stripes_integers_and_read_back(amount_minor: int, currency: str, stripes: int) -> None:
    amount = Money(amount_minor, currency)

    assert currencies.to_stripe(amount) == stripes
    assert currencies.from_stripe(stripes, currency.lower()) == amount


@pytest.mark.parametrize(("amount_minor", "currency"), [(1_234, "KWD"), (1_005, "BHD"), (1_250, "MGA"), (1, "MGA")])
def test_what_stripe_has_no_integer_for_is_refused(amount_minor: int, currency: str) -> None:
    with pytest.raises(Rejected) as refusal:
        currencies.to_stripe(Money(amount_minor, currency))

    assert refusal.value.code == "amount_not_representable"


@pytest.mark.parametrize("currency", ["HUF", "TWD"])
def test_a_payout_of_these_is_in_whole_units_only(currency: str) -> None:
    assert currencies.payout_to_stripe(Money(12_300, currency)) == 12_300
    with pytest.raises(Rejected) as refusal:
        currencies.payout_to_stripe(Money(12_345, currency))
    assert refusal.value.code == "amount_not_representable"
    assert "123.45" in refusal.value.message


@pytest.mark.parametrize(
    ("least", "currency"), [(50, "USD"), (50, "EUR"), (30, "GBP"), (200, "AED"), (50, "JPY"), (1, "EGP")]
)
def test_a_charge_below_the_least_is_refused(least: int, currency: str) -> None:
    assert currencies.charge_to_stripe(Money(least, currency)) == least
    with pytest.raises(Rejected) as refusal:
        currencies.charge_to_stripe(Money(least - 1, currency))
    assert refusal.value.code == "amount_too_small"


def test_a_fraction_of_our_least_unit_is_refused_when_read() -> None:
    with pytest.raises(Rejected) as refusal:
        currencies.from_stripe(12_345, "isk")
    assert refusal.value.code == "amount_not_representable"


def test_a_negative_balance_is_read_exactly() -> None:
    assert currencies.from_stripe(-50_000, "isk") == Money(-500, "ISK")


@given(
    amount_minor=st.integers(min_value=1, max_value=10**13),
    currency=st.sampled_from([currency.code for currency in Currency.all()]),
)
def test_every_amount_survives_the_way_there_and_back_or_is_refused(amount_minor: int, currency: str) -> None:
    amount = Money(amount_minor, currency)

    stripes = stripes_integer(amount)

    assert stripes is None or currencies.from_stripe(stripes, currency) == amount
    assert stripes is not None or currency in {"KWD", "BHD", "JOD", "OMR", "TND", "MGA"}


def stripes_integer(amount: Money) -> int | None:
    """None for an amount that Stripe has no integer for."""
    try:
        return currencies.to_stripe(amount)
    except Rejected:
        return None


@pytest.mark.parametrize(
    ("currency", "rules"),
    [
        ("USD", AmountRules(least_charge=50)),
        ("JPY", AmountRules(least_charge=50)),
        ("KWD", AmountRules(step=10, payout_step=10)),
        ("ISK", AmountRules()),
        ("MGA", AmountRules(step=100, payout_step=100)),
        ("HUF", AmountRules(least_charge=17_500, payout_step=100)),
    ],
)
def test_what_can_be_moved_is_known_beforehand(currency: str, rules: AmountRules) -> None:
    found = currencies.rules(currency)

    assert found.is_supported
    assert (found.least_charge, found.step, found.payout_step) == (rules.least_charge, rules.step, rules.payout_step)
    assert currencies.to_stripe(Money(3 * found.step, currency))
    assert currencies.payout_to_stripe(Money(3 * found.least_payout, currency))


@pytest.mark.parametrize(("currency", "most"), [("USD", 99_999_999), ("ISK", 999_999), ("KWD", 99_999_999)])
def test_a_charge_has_at_most_eight_digits(currency: str, most: int) -> None:
    assert currencies.rules(currency).most_charge == most


@pytest.mark.parametrize("currency", ["IQD", "CLF", "CUP"])
def test_what_stripe_does_not_charge_is_known(currency: str) -> None:
    assert not currencies.rules(currency).is_supported
