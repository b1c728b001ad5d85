"""Where the money of one escrow is: each cent is in exactly one place.

Settled money is in the freelancer's wallet together with other earnings. Withdrawals take the earliest settled
earnings first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import F, Q, QuerySet, Sum

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import Escrow, Refund, Withdrawal
from multitask.payments.states import EscrowState, PaymentState, RefundState, WithdrawalState
from multitask.users.actor import Actor


class Place(StrEnum):
    """The places, in the order in which money passes through them; payers see the payee's places as RELEASED."""

    UNPAID = "unpaid"
    PROVIDER = "provider"
    ESCROW = "escrow"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    PENDING = "pending"
    AVAILABLE = "available"
    WITHDRAWING = "withdrawing"
    BANK = "bank"
    RELEASED = "released"
    FEE = "fee"


@dataclass(frozen=True, slots=True)
class Part:
    """How much of the escrow is in one place."""

    place: Place
    amount: Money


def parts(escrow: Escrow) -> list[Part]:
    """Return every place that holds part of the escrow; the amounts add up to its total."""
    return _parts(escrow, _settled)


def visible_parts(reader: Actor, escrow: Escrow) -> list[Part]:
    """Return the parts as this reader may see them: what the freelancer withdrew is not shown to the client."""
    return _parts(escrow, _released if reader.is_user(escrow.client_id) else _settled)


def _parts(escrow: Escrow, settled: Callable[[Escrow, int], dict[Place, int]]) -> list[Part]:
    found = _before_funding(escrow) if escrow.funded_at is None else _after_funding(escrow, settled)
    return [Part(place, Money(minor, escrow.currency)) for place, minor in found.items() if minor]


def _before_funding(escrow: Escrow) -> dict[Place, int]:
    """Return the unpaid amount, or the amount that the provider is still processing."""
    undecided = Q(state=PaymentState.PENDING.value, provider_status="processing")
    is_processing = escrow.payments.filter(undecided).exists()
    return {Place.PROVIDER if is_processing else Place.UNPAID: escrow.total_minor}


def _after_funding(escrow: Escrow, settled: Callable[[Escrow, int], dict[Place, int]]) -> dict[Place, int]:
    refunding = _sum(escrow.refunds.filter(source="escrow", state=RefundState.PENDING.value))
    if escrow.state == EscrowState.RELEASED.value:
        # A failed refund of a settled dispute still counts: staff retries it.
        refunding = escrow.total_minor - escrow.released_minor - escrow.refunded_minor
    held = ledger.balance(postings.escrow_account(escrow.pk).code, escrow.currency).amount_minor
    share = escrow.released_minor - escrow.released_fee_minor
    found = {
        Place.ESCROW: held,
        Place.REFUNDING: refunding,
        Place.REFUNDED: escrow.refunded_minor,
        Place.FEE: escrow.released_fee_minor,
    }
    return found | (settled(escrow, share) if escrow.made_available_at else {Place.PENDING: share})


def _released(_escrow: Escrow, share: int) -> dict[Place, int]:
    return {Place.RELEASED: share}


def _settled(escrow: Escrow, share: int) -> dict[Place, int]:
    before = _earned_before(escrow)
    at_bank = _withdrawn(escrow, WithdrawalState.COMPLETED)
    leaving = _withdrawn(escrow, WithdrawalState.PENDING, WithdrawalState.PROCESSING)
    bank = _overlap(before, share, 0, at_bank)
    withdrawing = _overlap(before, share, at_bank, leaving)
    return {
        Place.BANK: bank,
        Place.WITHDRAWING: withdrawing,
        Place.AVAILABLE: share - bank - withdrawing,
    }


def _overlap(start: int, length: int, other_start: int, other_length: int) -> int:
    """Return the overlap of two ranges of cents."""
    end = min(start + length, other_start + other_length)
    return max(0, end - max(start, other_start))


def _earned_before(escrow: Escrow) -> int:
    earlier = Q(made_available_at__lt=escrow.made_available_at) | Q(
        made_available_at=escrow.made_available_at, pk__lt=escrow.pk
    )
    settled = Escrow.objects.filter(earlier, freelancer_id=escrow.freelancer_id, currency=escrow.currency)
    total = settled.aggregate(total=Sum(F("released_minor") - F("released_fee_minor")))["total"]
    return int(total or 0)


def _withdrawn(escrow: Escrow, *states: WithdrawalState) -> int:
    withdrawals = Withdrawal.objects.filter(
        user_id=escrow.freelancer_id,
        currency=escrow.currency,
        state__in=[state.value for state in states],
    )
    return int(withdrawals.aggregate(total=Sum("amount_minor"))["total"] or 0)


def _sum(refunds: QuerySet[Refund]) -> int:
    return int(refunds.aggregate(total=Sum("amount_minor"))["total"] or 0)
