"""Refunds that were made at the provider, such as in its dashboard, without a command of ours."""

from datetime import datetime
from typing import Final

from django.db.models import Q, Sum

from multitask import database, ledger
from multitask.money import Money
from multitask.payments.authorization import locks
from multitask.payments.books import audit, history, loss_history, postings, refund_postings
from multitask.payments.errors import UnknownObject
from multitask.payments.escrow import disputes, refund_outcomes, unapplied
from multitask.payments.losses import booking, covered_losses, positions, refund_losses, waterfall
from multitask.payments.models import Escrow, Loss, Payment, Refund
from multitask.payments.operations import references
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.provider import RefundState as ProviderRefund
from multitask.payments.provider import RefundStatus
from multitask.payments.states import HOLDING_ESCROWS, PaymentState, RefundState
from multitask.users.actor import Actor

_SYSTEM: Final = Actor.system("provider")
REASON: Final = "made_at_provider"
_RECEIVED: Final = frozenset({PaymentState.SUCCEEDED, PaymentState.REVIEW})


@database.transactional
def confirm(provider: str, state: ProviderRefund, now: datetime) -> None:
    """Apply the provider's state of a refund; one that we did not make is recorded first. Raises UnknownObject."""
    try:
        refund_outcomes.confirm(provider, state, now)
    except UnknownObject:
        if _has_moved_nothing(provider, state):
            return
        if not _record(provider, state, now):
            raise
        refund_outcomes.confirm(provider, state, now)
    if state.status in {RefundStatus.FAILED, RefundStatus.CANCELLED}:
        refund = Refund.objects.select_related("payment").get(provider=provider, provider_refund_id=state.id)
        covered_losses.cover(locks.lock_by_id(refund.escrow_id), refund, now)


@database.transactional
def confirm_total(provider: str, state: ProviderPayment, now: datetime) -> None:
    """Record what went back of a payment without a command of ours, where the provider reports totals alone.

    Raises UnknownObject while a refund of ours is under way, whose effect cannot be told from another's.
    """
    seen = Payment.objects.filter(provider=provider, provider_payment_id=state.id).first()
    charge_id = state.id if seen is None else references.charge_id(seen, state)
    if charge_id != state.id:
        seen = Payment.objects.filter(provider=provider, provider_payment_id=charge_id).first()
    if seen is None or state.refunded is None or PaymentState(seen.state) not in _RECEIVED:
        return
    locks.lock_by_id(seen.escrow_id)
    payment = Payment.objects.select_for_update(no_key=True).get(pk=seen.pk)
    # Only what went back the way it came is in the provider's total.
    returned = payment.refunds.filter(state=RefundState.SUCCEEDED.value, payment__is_refundable=True, is_by_bank=False)
    booked = payment.received_minor - (returned.aggregate(sum=Sum("amount_minor"))["sum"] or 0)
    missing = booked - (state.amount - state.refunded).amount_minor
    if missing <= 0:
        return
    if payment.refunds.filter(state=RefundState.PENDING.value).exists():
        raise UnknownObject(detail="refund_under_way")
    before = state.refunded.amount_minor - missing
    refund = ProviderRefund(
        id=f"{payment.provider_collection_id}+{before}+{missing}",
        status=RefundStatus.SUCCEEDED,
        amount=Money(missing, state.amount.currency),
        payment_id=charge_id,
    )
    confirm(provider, refund, now)


def _has_moved_nothing(provider: str, state: ProviderRefund) -> bool:
    """Return whether a refund of a payment of ours that we did not make had failed before we learned of it."""
    if state.reference or state.status not in {RefundStatus.FAILED, RefundStatus.CANCELLED}:
        return False
    return Payment.objects.filter(provider=provider, provider_payment_id=state.payment_id).exists()


def _record(provider: str, state: ProviderRefund, now: datetime) -> bool:
    """Record a refund of a payment of ours that carries no reference of ours; return whether it was one."""
    if state.reference or state.status in {RefundStatus.FAILED, RefundStatus.CANCELLED}:
        return False
    escrow_id = Payment.objects.filter(provider=provider, provider_payment_id=state.payment_id).values_list(
        "escrow_id", flat=True
    )
    found = escrow_id.first()
    if found is None:
        return False
    escrow = locks.lock_by_id(found)
    payment = Payment.objects.select_for_update(no_key=True).get(
        provider=provider, provider_payment_id=state.payment_id
    )
    if Refund.objects.filter(provider=provider, provider_refund_id=state.id).exists():
        return True
    if PaymentState(payment.state) not in _RECEIVED:
        return False  # The payment itself has to be confirmed first.
    if _is_decided_by_ours(escrow, payment, state.amount):
        return False  # Read again later: our own refund may fail, and then its money is there.
    _take(escrow, payment, state, now)
    return True


def _is_decided_by_ours(escrow: Escrow, payment: Payment, amount: Money) -> bool:
    """Return whether who bears the refund depends on a refund of ours: under way, or failed and not decided yet."""
    if not positions.is_in_escrow(payment):
        return False
    ours = escrow.refunds.filter(is_outside=False)
    if escrow.escrow_state in HOLDING_ESCROWS:
        in_escrow = ledger.balance(postings.escrow_account(escrow.pk).code, escrow.currency)
        return amount > in_escrow and ours.filter(source="escrow", state=RefundState.PENDING.value).exists()
    # One after the release that fails keeps its money until staff retries it or gives it up.
    is_undecided = Q(state=RefundState.PENDING.value) | Q(state=RefundState.FAILED.value, holds_money=True)
    released = Money(escrow.released_minor - escrow.returned_minor, escrow.currency)
    return amount > released and ours.filter(is_undecided, source="released").exists()


def _take(escrow: Escrow, payment: Payment, state: ProviderRefund, now: datetime) -> None:
    """Take the refund from where the money is: the unapplied payment, the escrow, or by the waterfall."""
    if payment.state == PaymentState.REVIEW.value:
        _take_unapplied(escrow, payment, state, now)
        return
    in_escrow = ledger.balance(postings.escrow_account(escrow.pk).code, escrow.currency)
    if escrow.escrow_state in HOLDING_ESCROWS and state.amount <= in_escrow:
        _record_borne(escrow, state, {"escrow_minor": state.amount.amount_minor}, now)
        refund_outcomes.supersede_request(escrow, in_escrow - state.amount, now)
        if state.amount == in_escrow:
            disputes.end(escrow, now)
        _reserve(escrow, payment, state, "escrow", now)
        return
    _bear(escrow, payment, state, now)


def _take_unapplied(escrow: Escrow, payment: Payment, state: ProviderRefund, now: datetime) -> None:
    """Take the refund from an unapplied payment; the platform bears what is not there any more."""
    left = unapplied.left(payment)
    is_converted = left.currency != state.amount.currency
    if not is_converted and state.amount > left:
        _bear(escrow, payment, state, now)
        return
    _record_borne(escrow, state, {}, now)
    booked = unapplied.share(payment, state.amount) if is_converted else None
    _reserve(escrow, payment, state, "unapplied", now, booked=booked)


def _record_borne(escrow: Escrow, state: ProviderRefund, borne: dict[str, str | int], now: datetime) -> None:
    """Record the refund with who bore how much, in minor units, for the audit trail and the notices."""
    audit.record("refunded_outside", actor=_SYSTEM, now=now, escrow=escrow, amount=state.amount, details=borne)


def _reserve(
    escrow: Escrow,
    payment: Payment,
    state: ProviderRefund,
    source: str,
    now: datetime,
    *,
    booked: Money | None = None,
) -> None:
    """Reserve the refund; `booked` is what the books set aside for one of a payment that was converted."""
    refund = _created(escrow, payment, state, source, now)
    if booked is not None:
        refund.booked_minor, refund.booked_currency = booked.amount_minor, booked.currency
        refund.save(update_fields=["booked_minor", "booked_currency"])
    refund_postings.reserve(refund, now)


def _bear(escrow: Escrow, payment: Payment, state: ProviderRefund, now: datetime) -> None:
    positions.lock_payee(escrow)
    is_in_escrow = positions.is_in_escrow(payment)
    if is_in_escrow:
        refund_outcomes.supersede_request(escrow, Money.zero(escrow.currency), now)
    refund = _created(escrow, payment, state, "released", now)
    if is_in_escrow:
        loss = refund_losses.bear(escrow, refund, actor=_SYSTEM, now=now)
    else:
        loss = _bear_unapplied(escrow, refund, now)
    _record_borne(escrow, state, booking.borne(loss), now)
    loss_history.share_returned(escrow, refund, loss, now)


def _bear_unapplied(escrow: Escrow, refund: Refund, now: datetime) -> Loss:
    position = positions.of_unapplied(refund.payment, refund.amount)
    shares = waterfall.share_out(refund.amount_minor, position)
    nothing = Money.zero(escrow.currency)
    return booking.execute(
        escrow, shares, position, held=nothing, chargeback=None, refund=refund, actor=_SYSTEM, now=now
    )


def _created(escrow: Escrow, payment: Payment, state: ProviderRefund, source: str, now: datetime) -> Refund:
    refund = Refund.objects.create(
        escrow=escrow,
        payment=payment,
        source=source,
        provider=payment.provider,
        provider_refund_id=state.id,
        amount_minor=state.amount.amount_minor,
        currency=state.amount.currency,
        state=RefundState.PENDING.value,
        reason=REASON,
        is_outside=True,
        created_at=now,
        decided_at=now,
    )
    history.refund_started(escrow, refund, now)
    return refund
