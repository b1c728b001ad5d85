"""All states of milestones, escrows, payments and so on, and the transitions between them: pure, without Django.

States name past facts. Only this module decides which state may follow which.
"""

from collections.abc import Mapping
from enum import StrEnum


class MilestoneState(StrEnum):
    AGREED = "agreed"
    FUNDED = "funded"  # the money is in escrow, the work has not started
    STARTED = "started"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class EscrowState(StrEnum):
    PENDING_PAYMENT = "pending_payment"
    FUNDED = "funded"
    DISPUTED = "disputed"
    RELEASED = "released"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    CHARGED_BACK = "charged_back"  # the cardholder's bank took all that was left


class PaymentState(StrEnum):
    PENDING = "pending"  # created in the database, perhaps not yet at the provider
    SUCCEEDED = "succeeded"  # its money is in escrow
    CANCELLED = "cancelled"
    REVIEW = "review"  # its money arrived but fits no escrow; staff decides
    RETURNED = "returned"  # its money arrived and was refunded


class RefundState(StrEnum):
    REQUESTED = "requested"  # by the client; the freelancer has not answered
    PENDING = "pending"  # reserved in the ledger, the provider has not confirmed
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"  # the freelancer refused; a dispute was opened
    WITHDRAWN = "withdrawn"  # the client withdrew the request


class WithdrawalState(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by its owner, or at the provider, before the money left


class OperationState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class ReversalState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class LineState(StrEnum):
    NEW = "new"  # stored, not compared with the ledger yet
    MATCHED = "matched"
    IN_FLIGHT = "in_flight"  # its object is known and not decided yet
    OPEN = "open"  # in suspense
    EXPLAINED = "explained"  # by finance staff


class DisputeState(StrEnum):
    OPEN = "open"
    SETTLED = "settled"


class IdentityState(StrEnum):
    SUBMITTED = "submitted"  # by its owner; staff has not decided
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class HistoryStatus(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WrongStep(ValueError):
    """A transition that is not allowed; callers turn it into an error of their own."""

    def __init__(self, current: StrEnum, wanted: StrEnum) -> None:
        """Store both states of the transition."""
        super().__init__(f"{type(current).__name__} may not go from {current} to {wanted}")
        self.current = current
        self.wanted = wanted


_M, _E, _P, _R = MilestoneState, EscrowState, PaymentState, RefundState
_W, _O, _D = WithdrawalState, OperationState, DisputeState
# Keyed by type first: members of two enums can be equal as strings, so a flat table would mix them up.
STEPS: Mapping[type[StrEnum], Mapping[str, frozenset[StrEnum]]] = {
    _M: {
        _M.AGREED: frozenset({_M.FUNDED, _M.STARTED, _M.CANCELLED}),
        _M.FUNDED: frozenset({_M.STARTED, _M.DELIVERED, _M.COMPLETED, _M.CANCELLED}),
        _M.STARTED: frozenset({_M.DELIVERED, _M.COMPLETED, _M.CANCELLED}),
        _M.DELIVERED: frozenset({_M.COMPLETED, _M.CANCELLED}),
        _M.COMPLETED: frozenset(),
        _M.CANCELLED: frozenset({_M.COMPLETED}),  # called off, and its money was released all the same
    },
    _E: {
        _E.PENDING_PAYMENT: frozenset({_E.FUNDED, _E.CANCELLED}),
        _E.FUNDED: frozenset({_E.DISPUTED, _E.RELEASED, _E.REFUNDED, _E.CHARGED_BACK}),
        _E.DISPUTED: frozenset({_E.FUNDED, _E.RELEASED, _E.REFUNDED, _E.CHARGED_BACK}),
        _E.RELEASED: frozenset(),
        _E.CHARGED_BACK: frozenset({_E.FUNDED}),  # a chargeback that was lost is won later
        _E.REFUNDED: frozenset({_E.FUNDED}),  # only when the bank returns a paid refund
        _E.CANCELLED: frozenset(),
    },
    _P: {
        _P.PENDING: frozenset({_P.SUCCEEDED, _P.CANCELLED, _P.REVIEW}),
        _P.CANCELLED: frozenset({_P.REVIEW}),  # the payment succeeded before the provider received the cancellation
        _P.REVIEW: frozenset({_P.RETURNED}),
        _P.SUCCEEDED: frozenset(),
        _P.RETURNED: frozenset({_P.REVIEW}),
    },
    _R: {
        _R.REQUESTED: frozenset({_R.PENDING, _R.REFUSED, _R.WITHDRAWN}),
        _R.PENDING: frozenset({_R.SUCCEEDED, _R.FAILED}),
        _R.SUCCEEDED: frozenset({_R.FAILED}),  # the bank may return it days later
        _R.FAILED: frozenset(),
        _R.REFUSED: frozenset(),
        _R.WITHDRAWN: frozenset(),
    },
    _W: {
        _W.PENDING: frozenset({_W.PROCESSING, _W.COMPLETED, _W.FAILED, _W.CANCELLED}),
        _W.PROCESSING: frozenset({_W.COMPLETED, _W.FAILED, _W.CANCELLED}),
        _W.COMPLETED: frozenset({_W.FAILED}),  # the bank may return a payout that was reported as paid
        _W.FAILED: frozenset(),
        _W.CANCELLED: frozenset(),
    },
    _O: {
        _O.PENDING: frozenset({_O.SENT, _O.SUCCEEDED, _O.FAILED}),
        _O.SENT: frozenset({_O.PENDING, _O.UNKNOWN, _O.SUCCEEDED, _O.FAILED, _O.SENT}),
        _O.UNKNOWN: frozenset({_O.SENT, _O.SUCCEEDED, _O.FAILED}),
        _O.SUCCEEDED: frozenset(),
        _O.FAILED: frozenset(),
    },
    ReversalState: {
        ReversalState.PENDING: frozenset({ReversalState.SUCCEEDED, ReversalState.FAILED}),
        ReversalState.SUCCEEDED: frozenset(),
        ReversalState.FAILED: frozenset({ReversalState.PENDING}),  # staff retries it
    },
    LineState: {
        LineState.NEW: frozenset({LineState.MATCHED, LineState.IN_FLIGHT, LineState.OPEN}),
        LineState.IN_FLIGHT: frozenset({LineState.MATCHED, LineState.OPEN}),
        LineState.OPEN: frozenset({LineState.MATCHED, LineState.IN_FLIGHT, LineState.EXPLAINED}),
        LineState.MATCHED: frozenset({LineState.IN_FLIGHT, LineState.OPEN}),  # a later line of its source came
        LineState.EXPLAINED: frozenset({LineState.OPEN}),  # a posting came for it after all
    },
    _D: {
        _D.OPEN: frozenset({_D.SETTLED}),
        _D.SETTLED: frozenset({_D.OPEN}),  # the loss that ended it, so that nothing was left to divide, is undone
    },
    IdentityState: {
        IdentityState.SUBMITTED: frozenset({IdentityState.CONFIRMED, IdentityState.REJECTED}),
        IdentityState.CONFIRMED: frozenset({IdentityState.REJECTED}),  # staff learns later that it is not theirs
        IdentityState.REJECTED: frozenset(),  # its owner submits another one
    },
}

CLOSED_MILESTONES = frozenset({_M.COMPLETED, _M.CANCELLED})
NOT_STARTED = frozenset({_M.AGREED, _M.FUNDED})
OPEN_OPERATIONS = frozenset({_O.PENDING, _O.SENT, _O.UNKNOWN})
OPEN_WITHDRAWALS = frozenset({_W.PENDING, _W.PROCESSING})
OPEN_REFUNDS = frozenset({_R.REQUESTED, _R.PENDING})
HOLDING_ESCROWS = frozenset({_E.FUNDED, _E.DISPUTED})
CLOSED_ESCROWS = frozenset({_E.RELEASED, _E.REFUNDED, _E.CANCELLED, _E.CHARGED_BACK})


def resumed(*, is_started: bool, is_delivered: bool) -> MilestoneState:
    """Return where the work of a milestone is whose cancellation is undone, since only the loss of its money caused it.

    Not a step: from cancelled the work goes on in no other case.
    """
    if is_delivered:
        return MilestoneState.DELIVERED
    return MilestoneState.STARTED if is_started else MilestoneState.FUNDED


def may(current: StrEnum, wanted: StrEnum) -> bool:
    """Return whether `wanted` may follow `current`."""
    return type(wanted) is type(current) and wanted in STEPS[type(current)][current]


def require(current: StrEnum, wanted: StrEnum) -> None:
    """Raise `WrongStep` unless `wanted` may follow `current`."""
    if not may(current, wanted):
        raise WrongStep(current, wanted)
