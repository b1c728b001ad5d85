"""Payments: from an agreed milestone to a funded escrow.

`create_intent` writes the intent and claims its calls in one transaction, calls the provider, and commits each
outcome. `confirm` applies the provider's state of a payment; only it funds an escrow.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Subquery

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import access, rate_limits
from multitask.payments.books import audit, history, postings
from multitask.payments.errors import Forbidden, ProviderRefused, UnknownObject, WrongState
from multitask.payments.escrow import milestone_states
from multitask.payments.funding import customers, unapplied_payments
from multitask.payments.models import Customer, Escrow, Milestone, Operation, Payment
from multitask.payments.operations import engine, references, send_deadline
from multitask.payments.operations.send_deadline import Moment
from multitask.payments.provider import (
    ABSENT,
    Collects,
    PaymentStatus,
    Provider,
    ProviderError,
    Rejected,
    SavesMethods,
    Search,
    Unavailable,
    supporting,
    supports,
)
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.states import EscrowState, HistoryStatus, MilestoneState, PaymentState, require
from multitask.users.actor import Actor

CREATE_PAYMENT: Final = "create_payment"
CALLED_OFF: Final = "called_off"
PAYABLE: Final = frozenset({MilestoneState.AGREED, MilestoneState.STARTED})
_SYSTEM = Actor.system("provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """The payment to be made. `existing` is true if an earlier request created it."""

    escrow: Escrow
    payment: Payment
    existing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """The result of the first transaction: the payment, and the calls that are still to be made."""

    payment: Payment
    existing: bool
    customer_call: engine.Call | None = None
    payment_call: engine.Call | None = None


def create_intent(*, actor: Actor, milestone_id: int, now: datetime) -> Intent:
    """Create the payment of a milestone, as its payer, or return the existing one.

    Raises NotFound, Forbidden, WrongState, TooManyRequests, ProviderRefused or ProviderUnavailable; after the
    last, a repeated request continues where this one stopped.
    """
    # Taken before the claims are committed, since the process may be paused during the commit.
    began = send_deadline.moment()
    prepared = _prepare(actor, milestone_id, now)
    if prepared.payment_call is None:
        return Intent(escrow=prepared.payment.escrow, payment=prepared.payment, existing=True)
    if prepared.customer_call is not None:
        _create_customer(prepared.customer_call, prepared.payment_call, now, began)
    try:
        engine.answered(prepared.payment_call, now=now, began=began)
    except ProviderRefused as refusal:
        if refusal.detail == CALLED_OFF:
            raise WrongState("The task was cancelled.") from refusal
        raise
    payment = Payment.objects.select_related("escrow").get(pk=prepared.payment.pk)
    return Intent(escrow=payment.escrow, payment=payment, existing=prepared.existing)


@database.transactional
def _prepare(actor: Actor, milestone_id: int, now: datetime) -> _Prepared:
    milestone = access.locked_milestone(actor, milestone_id)
    if not actor.is_user(milestone.agreement.payer_id):
        raise Forbidden("Only the task's client can pay for it.")
    escrow = access.lock_by_milestone(milestone.pk)
    if escrow is None:
        escrow = _open(milestone, actor, now)
        payment, is_new = _new_payment(escrow, now), True
    else:
        payment, is_new = _payment_of(escrow, now)
    if payment.provider_payment_id is not None:
        return _Prepared(payment=payment, existing=True)
    _require_unpaid(escrow)
    customer, customer_call = customers.intend(escrow.client, escrow.provider, now)
    latest = None if is_new else engine.latest(CREATE_PAYMENT, payment.pk)
    if latest is not None and latest.state != "failed":
        call = engine.Call(latest)
    else:
        engine.require_answering(escrow.provider)
        call = _begin_call(escrow, payment, customer, 1 if latest is None else latest.sequence + 1, now)
    return _Prepared(payment=payment, existing=not is_new, customer_call=customer_call, payment_call=call)


def _open(milestone: Milestone, actor: Actor, now: datetime) -> Escrow:
    if milestone.milestone_state not in PAYABLE:
        raise WrongState(f"A task that is {milestone.state} cannot be paid for.")
    agreement = milestone.agreement
    split = agreement.terms.split(milestone.amount)
    escrow = Escrow.objects.create(
        agreement=agreement,
        milestone=milestone,
        client_id=agreement.payer_id,
        freelancer_id=agreement.payee_id,
        provider=agreement.provider,
        currency=agreement.currency,
        total_minor=milestone.amount_minor,
        fee_basis_points=agreement.fee_basis_points,
        fee_minor=split.fee.amount_minor,
        freelancer_minor=split.freelancer.amount_minor,
        auto_release_days=agreement.auto_release_days,
        refund_answer_days=agreement.refund_answer_days,
        share_step=agreement.share_step,
        created_at=now,
    )
    audit.record("payment_requested", actor=actor, now=now, escrow=escrow, amount=escrow.total)
    return escrow


def _payment_of(escrow: Escrow, now: datetime) -> tuple[Payment, bool]:
    """Return the succeeded payment, else the newest; a new one (and True) if that was cancelled."""
    counting = [PaymentState.SUCCEEDED.value, PaymentState.PENDING.value, PaymentState.CANCELLED.value]
    found = list(escrow.payments.filter(state__in=counting).order_by("-pk"))
    paid = next((payment for payment in found if payment.state == PaymentState.SUCCEEDED.value), None)
    payment = paid or next(iter(found), None)
    if payment is not None and payment.state != PaymentState.CANCELLED.value:
        payment.escrow = escrow
        return payment, False
    _require_unpaid(escrow)
    return _new_payment(escrow, now), True


def _new_payment(escrow: Escrow, now: datetime) -> Payment:
    payment = Payment.objects.create(
        escrow=escrow,
        provider=escrow.provider,
        amount_minor=escrow.total_minor,
        currency=escrow.currency,
        created_at=now,
    )
    history.deposit_requested(escrow, payment, now)
    return payment


def _require_unpaid(escrow: Escrow) -> None:
    if escrow.state != EscrowState.PENDING_PAYMENT.value:
        raise WrongState(f"This escrow is {escrow.state}; it cannot be paid again.")


def _begin_call(escrow: Escrow, payment: Payment, customer: Customer, sequence: int, now: datetime) -> engine.Call:
    key = f"{payment.pk}:{sequence}"
    rate_limits.count(user_id=escrow.client_id, purpose=rate_limits.Purpose.PAYMENT, key=key, now=now)
    return engine.begin_claimed(
        CREATE_PAYMENT,
        subject_id=payment.pk,
        provider=escrow.provider,
        escrow=escrow,
        now=now,
        sequence=sequence,
        arguments={
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "customer": customer.pk,
            "description": f"Escrow for “{escrow.agreement.title}”"[:300],
        },
    )


def _create_customer(customer_call: engine.Call, payment_call: engine.Call, now: datetime, began: Moment) -> None:
    """Create the customer; if that fails, release the claim of the payment's call, which needs the customer."""
    try:
        engine.answered(customer_call, now=now, began=began)
    except Exception:
        if payment_call.is_claimed:
            engine.release_claim(payment_call, now=now)
        raise


@database.transactional
def confirm(provider: str, state: ProviderPayment, now: datetime) -> None:
    """Apply the provider's state of a payment; only this funds an escrow. Raises UnknownObject."""
    known = _known(provider, state)
    if known is None:
        raise UnknownObject(detail=state.id)
    payment_id, escrow_id = known
    escrow = access.lock_by_id(escrow_id)
    payment = Payment.objects.select_for_update(no_key=True).get(pk=payment_id)
    _note(payment, state)
    _name(escrow, payment)
    if state.status is PaymentStatus.SUCCEEDED:
        _received(escrow, payment, state, now)
        _record_fee(payment, state, now)
    elif state.status is PaymentStatus.CANCELLED and payment.state == PaymentState.PENDING.value:
        payment.state = PaymentState.CANCELLED.value
        history.deposit_became(escrow, payment, HistoryStatus.CANCELLED, now)
        audit.record("payment_cancelled", actor=_SYSTEM, now=now, escrow=escrow)
    elif state.failure_code and state.failure_code != payment.failure_code:
        audit.record("payment_failed", actor=_SYSTEM, now=now, escrow=escrow, note=state.failure_message)
    payment.failure_code = state.failure_code
    payment.failure_reason = state.failure_message
    payment.save()


def _known(provider: str, state: ProviderPayment) -> tuple[int, int] | None:
    """Return the ids of the payment and its escrow, or None."""
    wanted = references.object_filter("provider_payment_id", state.id, state.reference, CREATE_PAYMENT)
    # Nulls sort last, so a row with the id comes before one without.
    found = Payment.objects.filter(wanted, provider=provider).order_by("provider_payment_id")
    return found.values_list("pk", "escrow_id").first()


def _note(payment: Payment, state: ProviderPayment) -> None:
    """Store facts that become known once and then never change."""
    payment.provider_payment_id = state.id
    if state.continuation is not None:
        payment.payer_token = payment.payer_token or state.continuation.token
    payment.provider_collection_id = state.collection_id or payment.provider_collection_id
    payment.available_at = state.available_at or payment.available_at
    if payment.state == PaymentState.PENDING.value:
        payment.provider_status = state.status.value


def _name(escrow: Escrow, payment: Payment) -> None:
    """Set the escrow's payment id: that of the payment that funded it, until then of the newest."""
    assert payment.provider_payment_id is not None  # noqa: S101
    if _awaits(escrow) and escrow.provider_payment_id != payment.provider_payment_id:
        escrow.provider_payment_id = payment.provider_payment_id
        escrow.save(update_fields=["provider_payment_id"])


def _received(escrow: Escrow, payment: Payment, state: ProviderPayment, now: datetime) -> None:
    """Fund the escrow if the received amount is the expected one, else set the payment aside."""
    if payment.state not in {PaymentState.PENDING.value, PaymentState.CANCELLED.value}:
        return
    received = state.received if state.received is not None else state.amount
    payment.received_minor = received.amount_minor
    payment.received_currency = received.currency
    payment.succeeded_at = now
    payment.provider_status = state.status.value
    if received != Money(payment.amount_minor, payment.currency):
        unapplied_payments.set_aside(escrow, payment, received, "amount_mismatch", now)
    elif payment.state == PaymentState.CANCELLED.value or not _awaits(escrow):
        unapplied_payments.set_aside(escrow, payment, received, "second_payment", now)
        unapplied_payments.send_back(escrow, payment, received, actor=_SYSTEM, now=now)
    else:
        _fund(escrow, payment, received, now)


def _awaits(escrow: Escrow) -> bool:
    return escrow.escrow_state is EscrowState.PENDING_PAYMENT


def _fund(escrow: Escrow, payment: Payment, received: Money, now: datetime) -> None:
    require(escrow.escrow_state, EscrowState.FUNDED)
    payment.state = PaymentState.SUCCEEDED.value
    escrow.state = EscrowState.FUNDED.value
    escrow.funded_at = now
    escrow.save(update_fields=["state", "funded_at"])
    if escrow.milestone.milestone_state is MilestoneState.AGREED:
        milestone_states.advance(escrow.milestone, MilestoneState.FUNDED, now)
    history.deposit_became(escrow, payment, HistoryStatus.COMPLETED, now)
    audit.record("funded", actor=_SYSTEM, now=now, escrow=escrow, amount=received)
    postings.fund(escrow, payment, received, now)


def _record_fee(payment: Payment, state: ProviderPayment, now: datetime) -> None:
    """Post the provider's fee once; it may become known after the payment."""
    if state.fee is None or payment.fee_minor is not None:
        return
    payment.fee_minor = state.fee.amount_minor
    payment.fee_currency = state.fee.currency
    if state.fee.amount_minor:
        postings.processing_fee(payment, state.fee, now)


class CreatePayment:
    """Performs `create_payment`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderPayment:
        """Create the payment."""
        wanted = operation.arguments
        customer_id, escrow_state = _customer_and_escrow(provider, operation)
        if escrow_state == EscrowState.CANCELLED.value and not operation.is_uncertain:
            # The milestone was cancelled after the intent was committed.
            raise Rejected(CALLED_OFF, "The task was cancelled.")
        if customer_id is None:
            raise Unavailable("awaits_customer", "The customer's creation is not answered yet.")
        return supporting(provider, Collects).create_payment(
            reference=operation.reference,
            amount=Money(wanted["amount_minor"], wanted["currency"]),
            customer_id=customer_id,
            description=wanted["description"],
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderPayment]:
        """Look for the payment of an earlier attempt."""
        customer_id, _ = _customer_and_escrow(provider, operation)
        if customer_id is None:
            return ABSENT
        return supporting(provider, Collects).find_payment(reference=operation.reference, customer_id=customer_id)

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it."""
        confirm(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Record the refusal; nothing was created, and the client may try again."""
        audit.record(
            "payment_refused",
            actor=_SYSTEM,
            now=now,
            escrow=operation.escrow,
            note=f"{error.code}: {error.message}",
        )

    def hold(self, operation: Operation) -> str:
        """Return no pending reason."""
        return ""


def _customer_and_escrow(provider: Provider, operation: Operation) -> tuple[str | None, str]:
    """Return the customer's id at the provider, None while it is not created, and the escrow's state.

    At a provider that has no customers the id is empty.
    """
    escrow = Escrow.objects.filter(payments=operation.subject_id).values("state")
    customers_found = Customer.objects.annotate(escrow_state=Subquery(escrow[:1]))
    found = customers_found.values_list("provider_customer_id", "escrow_state")
    customer_id, state = found.get(pk=operation.arguments["customer"])
    return (customer_id if supports(provider, SavesMethods) else ""), state
