"""The terms of an agreement and the fee calculation: pure, without Django."""

from dataclasses import dataclass
from decimal import Decimal

from multitask.money import Money

BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How a total is divided: `fee` and `freelancer` add up to `total` exactly."""

    total: Money
    fee: Money
    freelancer: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms of an agreement, frozen when it is opened.

    `fee_basis_points` are hundredths of a percent: 1500 is 15.00%. Both shares are multiples of `share_step`
    minor units, since the provider does not transfer the smallest units of some currencies.
    """

    fee_basis_points: int
    auto_release_days: int
    refund_answer_days: int
    share_step: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError for values out of range."""
        if not 0 <= self.fee_basis_points <= BASIS_POINTS:
            raise ValueError(f"a fee of {self.fee_basis_points} basis points is outside 0..10000")
        if self.auto_release_days < 1 or self.refund_answer_days < 1:
            raise ValueError("periods of silence are at least one day")
        if self.share_step < 1:
            raise ValueError(f"shares cannot be multiples of {self.share_step}")

    def split(self, total: Money) -> Split:
        """Divide `total`: the fee is rounded half up to `share_step`, the freelancer gets the rest.

        If `total` is not a multiple of `share_step`, the freelancer's share is not one either.
        """
        if total.amount_minor < 0:
            raise ValueError(f"a negative total cannot be shared: {total}")
        whole = BASIS_POINTS * self.share_step
        steps = (2 * total.amount_minor * self.fee_basis_points + whole) // (2 * whole)
        fee = Money(min(steps * self.share_step, total.amount_minor), total.currency)
        return Split(total=total, fee=fee, freelancer=total - fee)


def basis_points(percentage: str) -> int:
    """Parse "15.00" as 1500 basis points. Raises ValueError for more than two decimals."""
    scaled = Decimal(percentage) * 100
    if scaled != scaled.to_integral_value():
        raise ValueError(f"a fee of {percentage}% is finer than a hundredth of a percent")
    return int(scaled)


def percentage(fee_basis_points: int) -> str:
    """Format 1500 basis points as "15.00"."""
    return f"{fee_basis_points // 100}.{fee_basis_points % 100:02d}"
