"""Who bears a loss: parts that add up, in order, never negative, and a fee that comes to exactly the whole fee."""

from hypothesis import given
from hypothesis import strategies as st

from multitask.payments.losses.waterfall import Position, Shares, share_out

amounts = st.integers(min_value=0, max_value=10**9)


@st.composite
def positions(draw: st.DrawFn) -> Position:
    released = draw(amounts)
    fee = draw(st.integers(min_value=0, max_value=released))
    return Position(
        in_escrow=draw(amounts),
        released=released,
        fee=fee,
        held=draw(st.integers(min_value=0, max_value=released - fee)),
        receivable_room=draw(amounts),
        step=draw(st.sampled_from([1, 10, 100])),
    )


def parts(shares: Shares) -> tuple[int, ...]:
    return (shares.escrow, shares.payee, shares.fee, shares.receivable, shares.platform)


@given(loss=amounts, position=positions())
def test_the_parts_add_up_and_none_is_negative(loss: int, position: Position) -> None:
    shares = share_out(loss, position)
    assert shares.total == sum(parts(shares)) == loss
    assert min(parts(shares)) >= 0


@given(loss=amounts, position=positions())
def test_nobody_bears_more_than_there_is(loss: int, position: Position) -> None:
    shares = share_out(loss, position)
    assert shares.escrow <= position.in_escrow
    assert shares.payee <= position.held
    assert shares.payee % position.step == 0
    assert shares.fee <= position.fee
    assert shares.receivable <= position.receivable_room


@given(loss=amounts, position=positions())
def test_the_order_is_respected(loss: int, position: Position) -> None:
    """Each bears something only if those before have nothing left for it, apart from the steps of the payee's part."""
    shares = share_out(loss, position)
    if shares.payee or shares.fee or shares.receivable:
        assert shares.escrow == position.in_escrow
    if shares.receivable:
        assert position.held - shares.payee < position.step or shares.receivable < position.step
    if shares.platform:
        from_release = min(loss - shares.escrow, position.released)
        beyond = loss - shares.escrow - from_release
        assert shares.platform == beyond or shares.receivable == position.receivable_room


@given(position=positions(), losses=st.lists(st.integers(min_value=1, max_value=10**7), max_size=12))
def test_partial_losses_return_exactly_the_whole_fee(position: Position, losses: list[int]) -> None:
    """Whatever the parts, once all that was released has gone back, so has the whole fee."""
    released, fee, returned = position.released, position.fee, 0
    for loss in [*losses, released]:
        part = min(loss, released)
        left = Position(in_escrow=0, released=released, fee=fee, held=0, receivable_room=position.receivable_room)
        shares = share_out(part, left)
        returned += shares.fee
        released, fee = released - part, fee - shares.fee
        assert 0 <= fee <= released
    assert (released, fee, returned) == (0, 0, position.fee)
