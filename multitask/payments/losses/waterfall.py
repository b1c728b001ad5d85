"""Who bears a loss: pure, without Django. The preview that staff sees and what is executed are this one function."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What there is to bear a loss of one escrow, in minor units of its currency.

    `in_escrow` was not released. `released` is the gross amount that was released and has not gone back, `fee` the
    platform's fee in it. `held` is what the payee still has of that release, `receivable_room` how much more the payee
    may owe. Parts of the payee are multiples of `step`.
    """

    in_escrow: int
    released: int
    fee: int
    held: int
    receivable_room: int
    step: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError for amounts that cannot be."""
        amounts = (self.in_escrow, self.released, self.fee, self.held, self.receivable_room)
        if min(amounts) < 0 or self.fee > self.released or self.step < 1:
            raise ValueError(f"not a position: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Who bears how much of a loss, in minor units."""

    escrow: int
    payee: int
    fee: int
    receivable: int
    platform: int

    @property
    def total(self) -> int:
        """The whole loss."""
        return self.escrow + self.payee + self.fee + self.receivable + self.platform

    @property
    def returned(self) -> int:
        """The part that comes out of what was released, without what the platform bears."""
        return self.payee + self.fee + self.receivable


def share_out(loss: int, position: Position) -> Shares:
    """Divide a loss, in this order: the escrow, the payee's money of that escrow, a receivable, the platform.

    Of what concerns the released part, the platform returns its fee in proportion, rounded half up.
    """
    if loss < 0:
        raise ValueError(f"a negative loss cannot be shared: {loss}")
    from_escrow = min(loss, position.in_escrow)
    from_release = min(loss - from_escrow, position.released)
    fee = _in_proportion(from_release, position)
    due = from_release - fee
    payee = _whole_steps(min(due, position.held), position.step)
    receivable = min(due - payee, position.receivable_room)
    return Shares(
        escrow=from_escrow,
        payee=payee,
        fee=fee,
        receivable=receivable,
        platform=loss - from_escrow - fee - payee - receivable,
    )


def _in_proportion(part: int, position: Position) -> int:
    """Return the fee in a part of what was released; of the whole it is exactly the whole fee."""
    if not position.released:
        return 0
    return min((2 * part * position.fee + position.released) // (2 * position.released), part)


def _whole_steps(amount: int, step: int) -> int:
    return amount - amount % step
