"""Payment intents: from an agreed milestone to a payment that the client can make.

`create_intent` writes the intent and claims its calls in one transaction, calls the provider, and commits each
outcome.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Subquery

from multitask import database
from multitask.money import Money
from multitask.payments.authorization import locks, rate_limits
from multitask.payments.books import audit, history
from multitask.payments.errors import Forbidden, ProviderRefused, WrongState
from multitask.payments.funding import cancellations, card_tokens, customers, payment_results
from multitask.payments.funding.payment_results import CALLED_OFF, CREATE_PAYMENT
from multitask.payments.models import Customer, Escrow, Milestone, Operation, Payment
from multitask.payments.operations import engine, send_deadline
from multitask.payments.operations.send_deadline import Moment
from multitask.payments.provider import (
    ABSENT,
    CUSTOMER_GONE,
    Collects,
    Payer,
    Provider,
    ProviderError,
    Rejected,
    SavesMethods,
    Search,
    supporting,
    supports,
)
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.states import EscrowState, MilestoneState, PaymentState
from multitask.users.actor import Actor

PAYABLE: Final = frozenset({MilestoneState.AGREED, MilestoneState.STARTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """The payment to be made. `existing` is true if an earlier request created it."""

    escrow: Escrow
    payment: Payment
    existing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """The result of the first transaction: the payment, and the calls that are still to be made.

    `expired_call` cancels the payment, which cannot be begun any more, before another is created.
    """

    payment: Payment
    existing: bool
    expired_call: engine.Call | None = None
    had_customer: bool = False
    customer_call: engine.Call | None = None
    payment_call: engine.Call | None = None


def create_intent(*, actor: Actor, milestone_id: int, now: datetime) -> Intent:
    """Create the payment of a milestone, as its payer, or return the existing one.

    One whose page has expired is cancelled first, and another is created. A customer that was deleted at the provider
    is created anew. Raises NotFound, Forbidden, WrongState, TooManyRequests, ProviderRefused or ProviderUnavailable;
    after the last, a repeated request continues where this one stopped.
    """
    # Taken before the claims are committed, since the process may be paused during the commit.
    began = send_deadline.moment()
    prepared = _prepare(actor, milestone_id, now)
    if prepared.expired_call is not None and _was_replaced(prepared.expired_call, now, began):
        return create_intent(actor=actor, milestone_id=milestone_id, now=now)
    if prepared.payment_call is None:
        return Intent(escrow=prepared.payment.escrow, payment=prepared.payment, existing=True)
    if prepared.customer_call is not None:
        _create_customer(prepared.customer_call, prepared.payment_call, now, began)
    try:
        engine.answered(prepared.payment_call, now=now, began=began)
    except ProviderRefused as refusal:
        if refusal.detail == CALLED_OFF:
            raise WrongState("The task was cancelled.") from refusal
        if refusal.detail != CUSTOMER_GONE or not prepared.had_customer:
            raise
        # The customer was forgotten with the refusal, so this creates another one.
        return create_intent(actor=actor, milestone_id=milestone_id, now=now)
    payment = Payment.objects.select_related("escrow").get(pk=prepared.payment.pk)
    return Intent(escrow=payment.escrow, payment=payment, existing=prepared.existing)


def _was_replaced(call: engine.Call, now: datetime, began: Moment) -> bool:
    """Cancel a payment whose page has expired; return False if the provider refuses, such as for one that is paid."""
    try:
        engine.answered(call, now=now, began=began)
    except ProviderRefused:
        return False
    return True


@database.transactional
def _prepare(actor: Actor, milestone_id: int, now: datetime) -> _Prepared:
    milestone = locks.locked_milestone(actor, milestone_id)
    if not actor.is_user(milestone.agreement.payer_id):
        raise Forbidden("Only the task's client can pay for it.")
    escrow = locks.lock_by_milestone(milestone.pk)
    if escrow is None:
        escrow = _open(milestone, actor, now)
        payment, is_new = _new_payment(escrow, now), True
    else:
        payment, is_new = _payment_of(escrow, now)
    if payment.provider_payment_id is not None:
        expired = cancellations.replace(escrow, payment, now=now) if cancellations.has_expired(payment, now) else None
        return _Prepared(payment=payment, existing=True, expired_call=expired)
    _require_unpaid(escrow)
    customer, customer_call = customers.intend(escrow.client, escrow.provider, now)
    latest = None if is_new else engine.latest(CREATE_PAYMENT, payment.pk)
    if latest is not None and latest.state != "failed":
        call = engine.Call(latest)
    else:
        engine.require_answering(escrow.provider)
        _set_payment_date(escrow, now)
        call = _begin_call(escrow, payment, customer, 1 if latest is None else latest.sequence + 1, now)
    return _Prepared(
        payment=payment,
        existing=not is_new,
        had_customer=customer_call is None,
        customer_call=customer_call,
        payment_call=call,
    )


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
        route=agreement.route,
        currency=agreement.currency,
        total_minor=milestone.amount_minor,
        fee_basis_points=agreement.fee_basis_points,
        fee_minor=split.fee.amount_minor,
        freelancer_minor=split.freelancer.amount_minor,
        auto_release_days=agreement.auto_release_days,
        refund_answer_days=agreement.refund_answer_days,
        share_step=agreement.share_step,
        created_at=now,
        payment_due_at=_payment_date(now),
    )
    audit.record("payment_requested", actor=actor, now=now, escrow=escrow, amount=escrow.total)
    return escrow


def _set_payment_date(escrow: Escrow, now: datetime) -> None:
    """Give the client the whole period for each payment that is created."""
    due_at = _payment_date(now)
    if escrow.payment_due_at != due_at:
        escrow.payment_due_at = due_at
        escrow.save(update_fields=["payment_due_at"])


def _payment_date(now: datetime) -> datetime:
    return now + timedelta(days=settings.UNFUNDED_CANCEL_DAYS)


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


class CreatePayment:
    """Performs `create_payment`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderPayment:
        """Create the payment."""
        wanted = operation.arguments
        customer_id, escrow_state, payer = _customer_and_escrow(provider, operation)
        if escrow_state == EscrowState.CANCELLED.value and (customer_id is None or not operation.is_uncertain):
            # The milestone was cancelled after the intent was committed.
            raise Rejected(CALLED_OFF, "The task was cancelled.")
        if customer_id is None:
            customers.raise_missing(wanted["customer"])
        return supporting(provider, Collects).create_payment(
            reference=operation.reference,
            amount=Money(wanted["amount_minor"], wanted["currency"]),
            customer_id=customer_id,
            payer=payer,
            description=wanted["description"],
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderPayment]:
        """Look for the payment of an earlier attempt, which may have named a customer that was deleted since."""
        collects = supporting(provider, Collects)
        if not supports(provider, SavesMethods):
            return collects.find_payment(reference=operation.reference, customer_id="")
        for customer_id in customers.known_ids(operation.arguments["customer"]):
            found = collects.find_payment(reference=operation.reference, customer_id=customer_id)
            if found is not ABSENT:
                return found
        return ABSENT

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it."""
        payment_results.confirm(operation.provider, state, now)
        if state.refused_card:
            card_tokens.forget_refused(operation.arguments["customer"], state.refused_card, now)
        # The payment itself has `id`; staff may look for what the provider calls that which was created.
        return str(state.intention_id or state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Record the refusal; nothing was created, and the client may try again."""
        if error.code == CUSTOMER_GONE:
            customers.forget(operation.provider, error.object_id, now)
        audit.record(
            "payment_refused",
            actor=Actor.system("provider"),
            now=now,
            escrow=operation.escrow,
            note=f"{error.code}: {error.message}",
        )

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""


def _customer_and_escrow(provider: Provider, operation: Operation) -> tuple[str | None, str, Payer]:
    """Return the customer's id at the provider, None while it is not created, the escrow's state, and who pays.

    At a provider that has no customers the id is empty.
    """
    escrow = Escrow.objects.filter(payments=operation.subject_id).values("state")
    customers_found = Customer.objects.annotate(escrow_state=Subquery(escrow[:1]))
    found = customers_found.values_list("provider_customer_id", "escrow_state", "user__username", "user__email")
    customer_id, state, name, email = found.get(pk=operation.arguments["customer"])
    # Only by the first attempt: a saved card may be what keeps it from succeeding, and is no reason to be unpaid.
    saved = card_tokens.offered(provider, operation.arguments["customer"]) if operation.attempts == 1 else ()
    payer = Payer(name=name, email=email, card_tokens=saved)
    return (customer_id if supports(provider, SavesMethods) else ""), state, payer
