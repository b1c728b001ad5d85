"""Where the money of one escrow is: each cent is in exactly one place.

Settled money is in the freelancer's wallet together with other earnings and adjustments; `books.shares` says what of
it belongs to one escrow.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import (
    BigIntegerField,
    DateTimeField,
    Exists,
    Min,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce

from multitask.ledger.models import Balance
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import postings, shares
from multitask.payments.models import Disbursement, Escrow, Payment, Refund, Reversal, Withdrawal
from multitask.payments.reads import contested_reasons, pending_reasons
from multitask.payments.reads.contested_reasons import Contests
from multitask.payments.states import EscrowState, PaymentState, RefundState, WithdrawalState


class Place(StrEnum):
    """The places, in the order in which money passes through them; payers see the payee's places as RELEASED."""

    UNPAID = "unpaid"
    PROVIDER = "provider"
    ESCROW = "escrow"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    PENDING = "pending"
    CONTESTED = "contested"
    AVAILABLE = "available"
    WITHDRAWING = "withdrawing"
    BANK = "bank"
    RELEASED = "released"
    NETTED = "netted"
    FEE = "fee"
    CHARGED_BACK = "charged_back"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Part:
    """How much of the escrow is in one place."""

    place: Place
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about an escrow beside its own row, read in one statement; amounts in minor units.

    `held` is its ledger balance, `refunding` what pending refunds reserve. `answer_by_at` belongs to an open refund
    request. `available` and `withdrawing` are the payee's balances in its currency, once the share is available;
    `earned_after` is what of them may be later shares.
    `leaving_id` is the oldest payout of those that leave, `leaving_from` from when it may be sent,
    `leaving_allotted_at` since when the budget covers it; all are None where none of them is paid from a budget.
    `contests` are the chargebacks that hold it, as `contested_reasons.of` takes them.
    `settles_at` is when the payment's funds settle at the provider, `is_refused` whether it has refused the transfer,
    `account_id` the account that the share was transferred to and `is_out_of_reach` whether that is closed.
    `is_returning` is true while a refund after the release is on its way, `is_return_failed` if one has failed and
    waits for the staff, `is_reversed` while a reversal that was made at the provider is undecided.
    """

    is_processing: bool
    held: int
    refunding: int
    is_refund_failed: bool
    is_refund_requested: bool
    answer_by_at: datetime | None
    is_undecided: bool
    contests: Contests | None
    settles_at: datetime | None
    is_refused: bool
    account_id: int | None
    is_out_of_reach: bool
    available: int
    withdrawing: int
    earned_after: int
    arrives_at: datetime | None
    leaving_id: int | None
    leaving_from: datetime | None
    leaving_allotted_at: datetime | None
    is_returning: bool
    is_return_failed: bool
    is_reversed: bool


def facts(escrow: Escrow) -> Facts:
    """Read the facts about an escrow. One statement."""
    row = _row(escrow)
    zero = {name: row[name] or 0 for name in ("held", "refunding", "available", "withdrawing", "earned_after")}
    return Facts(**row | zero | {"is_out_of_reach": bool(row["is_out_of_reach"])})


def _row(escrow: Escrow) -> dict[str, Any]:
    refunds = Refund.objects.filter(escrow=OuterRef("pk"))
    late, early = refunds.filter(source="released"), refunds.filter(source="escrow")
    pending, failed = RefundState.PENDING.value, RefundState.FAILED.value
    asked = early.filter(state=RefundState.REQUESTED.value)
    undecided = Payment.objects.filter(
        escrow=OuterRef("pk"), state=PaymentState.PENDING.value, provider_status="processing"
    )
    reserved = early.filter(state=pending).order_by().values("escrow")
    rows = Escrow.objects.filter(pk=escrow.pk).annotate(
        is_processing=Exists(undecided),
        held=_held(escrow),
        refunding=Subquery(reserved.annotate(sum=Sum("amount_minor")).values("sum")),
        is_refund_failed=Exists(early.filter(state=failed, holds_money=True)),
        is_refund_requested=Exists(asked),
        answer_by_at=Subquery(asked.values("answer_by_at")[:1]),
        is_undecided=approvals.open_for_outer(),
        contests=contested_reasons.expression(),
        settles_at=pending_reasons.settles_at(),
        is_refused=pending_reasons.is_refused(),
        **pending_reasons.of_account(),
        is_returning=Exists(late.filter(state=pending)),
        is_return_failed=Exists(late.filter(state=failed, holds_money=True)),
        is_reversed=Exists(Reversal.objects.filter(escrow=OuterRef("pk"), is_decided=False)),
        **_among_others(escrow),
    )
    found: dict[str, Any] = rows.values(*Facts.__slots__).get()
    return found


def _held(escrow: Escrow) -> Subquery:
    return _balance(postings.escrow_account(escrow.pk).code, escrow.currency)


def _balance(code: str, currency: str) -> Subquery:
    rows = Balance.objects.filter(account__code=code, account__currency=currency).order_by().values("account")
    return Subquery(rows.annotate(sum=Sum("balance_minor")).values("sum"), output_field=BigIntegerField())


def _among_others(escrow: Escrow) -> dict[str, Any]:
    """Return the expressions that say what is left of the payee's available share, and how the rest leaves."""
    if escrow.made_available_at is None:
        nothing = dict.fromkeys(("available", "withdrawing", "earned_after"), Value(0))
        moment = Value(None, output_field=DateTimeField())
        nothing |= dict.fromkeys(("arrives_at", "leaving_from", "leaving_allotted_at"), moment)
        return nothing | {"leaving_id": Value(None, output_field=BigIntegerField())}
    leaving = (WithdrawalState.PENDING, WithdrawalState.PROCESSING)
    payouts = _oldest_payout(shares.withdrawals(escrow, *leaving))
    available = _balance(postings.available_account(escrow.freelancer_id).code, escrow.currency)
    withdrawing = _balance(postings.withdrawing_account(escrow.freelancer_id).code, escrow.currency)
    return {
        "available": available,
        "withdrawing": withdrawing,
        "earned_after": shares.earned_after(escrow, Coalesce(available, Value(0)) + Coalesce(withdrawing, Value(0))),
        "arrives_at": Subquery(_arrivals(shares.withdrawals(escrow, *leaving))),
        "leaving_id": Subquery(payouts.values("pk")),
        "leaving_from": Subquery(payouts.values("usable_from")),
        "leaving_allotted_at": Subquery(payouts.values("allotted_at")),
    }


def _oldest_payout(rows: QuerySet[Withdrawal]) -> QuerySet[Disbursement]:
    return Disbursement.objects.filter(withdrawal__in=rows.order_by()).order_by("pk")[:1]


def _arrivals(rows: QuerySet[Withdrawal]) -> QuerySet[Withdrawal, Any]:
    return rows.order_by().values("currency").annotate(first=Min("arrival_at")).values("first")


def parts(escrow: Escrow) -> list[Part]:
    """Return every place that holds part of the escrow; the amounts add up to its total."""
    return places(escrow, facts(escrow), is_payer=False)


def places(escrow: Escrow, known: Facts, *, is_payer: bool) -> list[Part]:
    """Return the parts of an escrow about which these facts are known, as its payer or as everybody else sees them."""
    found = _before_funding(escrow, known) if escrow.funded_at is None else _after_funding(escrow, known, is_payer)
    return [Part(place, Money(found[place], escrow.currency)) for place in Place if found.get(place)]


def _before_funding(escrow: Escrow, known: Facts) -> dict[Place, int]:
    """Return the unpaid amount, or the amount that the provider is still processing."""
    return {Place.PROVIDER if known.is_processing else Place.UNPAID: escrow.total_minor}


def _after_funding(escrow: Escrow, known: Facts, is_payer: bool) -> dict[Place, int]:
    is_released = escrow.state == EscrowState.RELEASED.value
    found = {
        Place.ESCROW: known.held,
        # A failed refund of a settled dispute still counts: staff retries it.
        Place.REFUNDING: escrow.remaining.amount_minor if is_released else known.refunding,
        Place.REFUNDED: escrow.refunded_minor,
        Place.CHARGED_BACK: escrow.charged_back_minor,
        Place.FEE: escrow.released_fee_minor - escrow.reclaimed_fee_minor,
        Place.RETURNED: escrow.returned_minor if is_payer else escrow.reclaimed_minor + escrow.reclaimed_fee_minor,
    }
    return found | (_for_payer(escrow) if is_payer else _for_payee(escrow, known))


def _for_payer(escrow: Escrow) -> dict[Place, int]:
    """Return the freelancer's share without what they withdrew or owed, and whose reversal holds a part of it."""
    share, is_contested = escrow.payee_share.amount_minor, escrow.frozen_at is not None
    is_available = escrow.made_available_at is not None
    found = {
        Place.RELEASED: (share if is_available else 0)
        + escrow.netted_minor
        + (0 if is_contested else escrow.contested_minor),
        Place.PENDING: 0 if is_available else share,
        Place.CONTESTED: escrow.contested_minor if is_contested else 0,
    }
    # What came back to the payer at the cost of others than this share is not with the freelancer for the payer.
    rest = escrow.returned_minor - escrow.reclaimed_minor - escrow.reclaimed_fee_minor
    for place, minor in found.items():
        taken = min(minor, rest)
        found[place] = minor - taken
        rest -= taken
    return found


def _for_payee(escrow: Escrow, known: Facts) -> dict[Place, int]:
    share = escrow.payee_share.amount_minor
    found = {Place.CONTESTED: escrow.contested_minor, Place.NETTED: escrow.netted_minor}
    if escrow.made_available_at is None:
        return found | {Place.PENDING: share}
    available = shares.left(share, known.earned_after, known.available)
    not_at_bank = shares.left(share, known.earned_after, known.available + known.withdrawing)
    return found | {
        Place.BANK: share - not_at_bank,
        Place.WITHDRAWING: not_at_bank - available,
        Place.AVAILABLE: available,
    }
