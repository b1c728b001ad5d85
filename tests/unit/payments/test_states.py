"""All allowed transitions, listed again, so that none is added or removed unnoticed."""

from enum import StrEnum
from itertools import product

import pytest

from multitask.payments import states
from multitask.payments.states import (
    DisputeState,
    EscrowState,
    IdentityState,
    LineState,
    MilestoneState,
    OperationState,
    PaymentState,
    RefundState,
    ReversalState,
    WithdrawalState,
    WrongStep,
)

ALLOWED: dict[type[StrEnum], set[tuple[str, str]]] = {
    MilestoneState: {
        ("agreed", "funded"),
        ("agreed", "started"),
        ("agreed", "cancelled"),
        ("funded", "started"),
        ("funded", "delivered"),
        ("funded", "completed"),
        ("funded", "cancelled"),
        ("started", "delivered"),
        ("started", "completed"),
        ("started", "cancelled"),
        ("delivered", "completed"),
        ("delivered", "cancelled"),
        ("cancelled", "completed"),
    },
    EscrowState: {
        ("pending_payment", "funded"),
        ("pending_payment", "cancelled"),
        ("funded", "disputed"),
        ("funded", "released"),
        ("funded", "refunded"),
        ("disputed", "funded"),
        ("disputed", "released"),
        ("disputed", "refunded"),
        ("refunded", "funded"),
        ("funded", "charged_back"),
        ("disputed", "charged_back"),
        ("charged_back", "funded"),
    },
    PaymentState: {
        ("pending", "succeeded"),
        ("pending", "cancelled"),
        ("pending", "review"),
        ("cancelled", "review"),
        ("review", "returned"),
        ("returned", "review"),
    },
    RefundState: {
        ("requested", "pending"),
        ("requested", "refused"),
        ("requested", "withdrawn"),
        ("pending", "succeeded"),
        ("pending", "failed"),
        ("succeeded", "failed"),
    },
    WithdrawalState: {
        ("pending", "processing"),
        ("pending", "completed"),
        ("pending", "failed"),
        ("pending", "cancelled"),
        ("processing", "completed"),
        ("processing", "failed"),
        ("processing", "cancelled"),
        ("completed", "failed"),
    },
    OperationState: {
        ("pending", "sent"),
        ("pending", "succeeded"),
        ("pending", "failed"),
        ("sent", "pending"),
        ("sent", "unknown"),
        ("sent", "succeeded"),
        ("sent", "failed"),
        ("sent", "sent"),
        ("unknown", "sent"),
        ("unknown", "succeeded"),
        ("unknown", "failed"),
    },
    DisputeState: {("open", "settled"), ("settled", "open")},
    IdentityState: {("submitted", "confirmed"), ("submitted", "rejected"), ("confirmed", "rejected")},
    ReversalState: {("pending", "succeeded"), ("pending", "failed"), ("failed", "pending")},
    LineState: {
        ("new", "matched"),
        ("new", "in_flight"),
        ("new", "open"),
        ("in_flight", "matched"),
        ("in_flight", "open"),
        ("open", "matched"),
        ("open", "in_flight"),
        ("open", "explained"),
        ("matched", "in_flight"),
        ("matched", "open"),
        ("explained", "open"),
    },
}
STEPS = [
    (kind(current), kind(wanted), (current, wanted) in allowed)
    for kind, allowed in ALLOWED.items()
    for current, wanted in product([s.value for s in kind], repeat=2)
]


@pytest.mark.parametrize(("current", "wanted", "allowed"), STEPS, ids=str)
def test_a_step_is_allowed_or_refused(current: StrEnum, wanted: StrEnum, allowed: bool) -> None:
    assert states.may(current, wanted) is allowed
    if allowed:
        states.require(current, wanted)
    else:
        with pytest.raises(WrongStep) as refusal:
            states.require(current, wanted)
        assert (refusal.value.current, refusal.value.wanted) == (current, wanted)
        assert str(refusal.value) == f"{type(current).__name__} may not go from {current} to {wanted}"


def test_every_state_has_its_steps() -> None:
    assert {kind: set(steps) for kind, steps in states.STEPS.items()} == {kind: set(kind) for kind in ALLOWED}


def test_a_word_of_another_kind_is_no_step() -> None:
    assert states.may(PaymentState.PENDING, PaymentState.CANCELLED)
    assert not states.may(PaymentState.PENDING, EscrowState.CANCELLED)
    assert not states.may(EscrowState.PENDING_PAYMENT, PaymentState.CANCELLED)


def test_the_groups_of_states() -> None:
    assert {s.value for s in states.OPEN_OPERATIONS} == {"pending", "sent", "unknown"}
    assert {s.value for s in states.OPEN_REFUNDS} == {"requested", "pending"}
    assert {s.value for s in states.HOLDING_ESCROWS} == {"funded", "disputed"}
    assert {s.value for s in states.CLOSED_ESCROWS} == {"released", "refunded", "cancelled", "charged_back"}


def test_the_words_are_those_that_are_stored() -> None:
    assert [s.value for s in states.HistoryStatus] == ["pending", "completed", "failed", "cancelled"]
