"""The fee and the freelancer's share are exact and add up to the total."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitask.money import Money
from multitask.payments.terms import Split, Terms, basis_points, percentage

TERMS = Terms(fee_basis_points=1500, auto_release_days=14, refund_answer_days=7)


@pytest.mark.parametrize(
    ("total", "fee", "freelancer"),
    [
        (10_000, 1_500, 8_500),
        (1, 0, 1),
        (3, 0, 3),
        (4, 1, 3),  # 0.60 rounds up
        (10, 2, 8),  # 1.50 rounds half up
        (30, 5, 25),  # 4.50 rounds half up
        (33, 5, 28),  # 4.95 rounds up
        (0, 0, 0),
        (9_007_199_254_740_993, 1_351_079_888_211_149, 7_656_119_366_529_844),  # beyond a float
    ],
)
def test_fifteen_percent_rounds_half_up(total: int, fee: int, freelancer: int) -> None:
    assert TERMS.split(Money(total, "USD")) == Split(
        total=Money(total, "USD"), fee=Money(fee, "USD"), freelancer=Money(freelancer, "USD")
    )


@given(total=st.integers(0, 10**15), points=st.integers(0, 10_000))
def test_shares_add_up_and_match_decimal_arithmetic(total: int, points: int) -> None:
    terms = Terms(fee_basis_points=points, auto_release_days=1, refund_answer_days=1)

    split = terms.split(Money(total, "KWD"))

    expected = (Decimal(total) * points / 10_000).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    assert split.fee.amount_minor == expected
    assert split.fee + split.freelancer == split.total
    assert split.freelancer.amount_minor >= 0


def test_a_negative_total_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        TERMS.split(Money(-1, "USD"))


@pytest.mark.parametrize("points", [-1, 10_001])
def test_a_fee_outside_the_whole_is_refused(points: int) -> None:
    with pytest.raises(ValueError, match="basis points"):
        Terms(fee_basis_points=points, auto_release_days=1, refund_answer_days=1)


@pytest.mark.parametrize("points", [0, 10_000])
def test_a_fee_of_nothing_or_everything_is_allowed(points: int) -> None:
    terms = Terms(fee_basis_points=points, auto_release_days=1, refund_answer_days=1)

    assert terms.split(Money(7, "USD")).fee.amount_minor == 7 * points // 10_000


@pytest.mark.parametrize(("release", "answer"), [(0, 1), (1, 0)])
def test_silence_is_at_least_a_day(release: int, answer: int) -> None:
    with pytest.raises(ValueError, match="at least one day"):
        Terms(fee_basis_points=0, auto_release_days=release, refund_answer_days=answer)


@pytest.mark.parametrize(("text", "points"), [("15.00", 1500), ("15", 1500), ("0.01", 1), ("2.9", 290), ("0", 0)])
def test_percentages_are_read_exactly(text: str, points: int) -> None:
    assert basis_points(text) == points


@pytest.mark.parametrize("text", ["15.001", "15.009"])
def test_a_percentage_finer_than_a_basis_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="finer"):
        basis_points(text)


@pytest.mark.parametrize(
    ("points", "text"), [(1500, "15.00"), (1, "0.01"), (290, "2.90"), (10_000, "100.00"), (0, "0.00")]
)
def test_percentages_are_written_with_two_decimals(points: int, text: str) -> None:
    assert percentage(points) == text


@pytest.mark.parametrize(
    ("total", "fee", "freelancer"),
    [(10_010, 1_500, 8_510), (10, 0, 10), (30, 0, 30), (40, 10, 30), (0, 0, 0)],
)
def test_shares_are_multiples_of_what_the_provider_moves(total: int, fee: int, freelancer: int) -> None:
    terms = Terms(fee_basis_points=1500, auto_release_days=14, refund_answer_days=7, share_step=10)

    split = terms.split(Money(total, "KWD"))

    assert (split.fee.amount_minor, split.freelancer.amount_minor) == (fee, freelancer)


@given(steps=st.integers(0, 10**12), points=st.integers(0, 10_000), step=st.sampled_from([1, 10, 100]))
def test_shares_in_steps_add_up(steps: int, points: int, step: int) -> None:
    terms = Terms(fee_basis_points=points, auto_release_days=1, refund_answer_days=1, share_step=step)

    split = terms.split(Money(steps * step, "KWD"))

    assert split.fee + split.freelancer == split.total
    assert split.fee.amount_minor % step == split.freelancer.amount_minor % step == 0
    assert split.freelancer.amount_minor >= 0
    assert abs(split.fee.amount_minor * 10_000 - steps * step * points) <= step * 5_000


def test_a_step_is_at_least_one_coin() -> None:
    with pytest.raises(ValueError, match="multiples of 0"):
        Terms(fee_basis_points=1500, auto_release_days=14, refund_answer_days=7, share_step=0)
