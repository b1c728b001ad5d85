"""From an accepted application to money in escrow."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from multitask import database
from multitask.marketplace import access as task_access
from multitask.marketplace.models import Application, Task
from multitask.marketplace.states import ApplicationStatus, TaskStatus
from multitask.money import Money
from multitask.payments.authorization import access, limits
from multitask.payments.books import audit, history, postings
from multitask.payments.errors import (
    ApplicationNotAccepted,
    Forbidden,
    NotFound,
    UnknownObject,
    WrongState,
)
from multitask.payments.funding import customers, unapplied_payments
from multitask.payments.models import Escrow, Operation, Payment
from multitask.payments.operations import amounts, engine, references, routes
from multitask.payments.provider import Collects, PaymentStatus, Provider, ProviderError, Search, supporting
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.states import EscrowState, HistoryStatus, PaymentState, require
from multitask.payments.terms import Terms, basis_points
from multitask.users.actor import Actor
from multitask.users.models import User

CREATE_PAYMENT: Final = "create_payment"
PAYABLE_TASKS: Final = frozenset({TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS})
_SYSTEM = Actor.system("provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the browser needs to pay. `existing` says that it was asked for before."""

    escrow: Escrow
    payment: Payment
    existing: bool


def current_terms(currency: str) -> Terms:
    """The terms that a new escrow in this currency is created with."""
    return Terms(
        fee_basis_points=basis_points(settings.PLATFORM_FEE_PERCENTAGE),
        auto_release_days=settings.AUTO_RELEASE_DAYS,
        refund_answer_days=settings.REFUND_ANSWER_DAYS,
        share_step=amounts.share_step(currency),
    )


def create_intent(*, actor: Actor, application_id: int, now: datetime) -> Intent:
    """Create the payment of an accepted application, or return the one there is.

    Raises NotFound, Forbidden, ApplicationNotAccepted, WrongState, TooManyRequests, ProviderRefused
    or ProviderUnavailable; after the last, asking again continues where it stopped.
    """
    payment_id, customer_operation, existing = _intend(actor, application_id, now)
    if customer_operation is not None:
        engine.perform_or_raise(customer_operation, now=now)
    operation_id = _intend_call(payment_id, now)
    if operation_id is not None:
        engine.perform_or_raise(operation_id, now=now)
    payment = Payment.objects.select_related("escrow").get(pk=payment_id)
    return Intent(escrow=payment.escrow, payment=payment, existing=existing)


@database.transactional
def _intend(actor: Actor, application_id: int, now: datetime) -> tuple[int, int | None, bool]:
    application = _payable(actor, application_id)
    escrow = access.lock_by_task(application.task_id) or _open(application, actor, now)
    if escrow.application_id != application.pk:
        raise WrongState("Another application of this task is being paid.")
    client = User.objects.get(pk=escrow.client_id)
    _, customer_operation = customers.intend(client, escrow.provider, now)
    payment = _latest(escrow)
    existing = payment is not None
    if payment is None or payment.state == PaymentState.CANCELLED.value:
        require_unpaid(escrow)
        payment, existing = _new_payment(escrow, now), False
        _count_call(payment, escrow, 1, now)
    return payment.pk, None if customer_operation is None else customer_operation.pk, existing


def _payable(actor: Actor, application_id: int) -> Application:
    """Lock the application's task and check that the actor may pay for it now."""
    seen = task_access.visible_applications(actor).filter(pk=application_id).first()
    if seen is None:
        raise NotFound("There is no such application.")
    task = Task.objects.select_for_update(no_key=True).get(pk=seen.task_id)
    application = Application.objects.select_related("freelancer").get(pk=application_id)
    application.task = task
    if not actor.is_user(task.client_id):
        raise Forbidden("Only the task's client can pay for it.")
    if application.status != ApplicationStatus.ACCEPTED:
        raise ApplicationNotAccepted
    return application


def _open(application: Application, actor: Actor, now: datetime) -> Escrow:
    task, terms = application.task, current_terms(application.task.currency)
    if TaskStatus(task.status) not in PAYABLE_TASKS:
        raise WrongState(f"A task that is {task.status} cannot be paid for.")
    total = Money(application.amount_minor, task.currency)
    amounts.require_payable(total)
    split = terms.split(total)
    escrow = Escrow.objects.create(
        task=task,
        application=application,
        client_id=task.client_id,
        freelancer_id=application.freelancer_id,
        provider=routes.of(total.currency).provider,
        currency=total.currency,
        total_minor=total.amount_minor,
        fee_basis_points=terms.fee_basis_points,
        fee_minor=split.fee.amount_minor,
        freelancer_minor=split.freelancer.amount_minor,
        auto_release_days=terms.auto_release_days,
        refund_answer_days=terms.refund_answer_days,
        share_step=terms.share_step,
        created_at=now,
    )
    audit.record("payment_requested", actor=actor, now=now, escrow=escrow, amount=total)
    return escrow


def _latest(escrow: Escrow) -> Payment | None:
    """The payment that counts: one that succeeded, else the newest."""
    payments = escrow.payments.order_by("-pk")
    paid = payments.filter(state=PaymentState.SUCCEEDED.value).first()
    return paid or payments.filter(state__in=[PaymentState.PENDING.value, PaymentState.CANCELLED.value]).first()


def require_unpaid(escrow: Escrow) -> None:
    """Only an escrow that still waits for its payment may get a new one."""
    if escrow.state != EscrowState.PENDING_PAYMENT.value:
        raise WrongState(f"This escrow is {escrow.state}; it cannot be paid again.")


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


@database.transactional
def _intend_call(payment_id: int, now: datetime) -> int | None:
    """The operation that still has to create the payment at the provider, if it does not exist there."""
    payment = Payment.objects.select_related("escrow__task", "escrow").get(pk=payment_id)
    if payment.provider_payment_id is not None:
        return None
    escrow = access.lock_by_id(payment.escrow_id)
    # It may have been called off while the customer was created.
    require_unpaid(escrow)
    client = User.objects.get(pk=escrow.client_id)
    customer, _ = customers.intend(client, escrow.provider, now)
    latest = engine.latest(CREATE_PAYMENT, payment.pk)
    if latest is not None and latest.state != "failed":
        return latest.pk
    sequence = 1 if latest is None else latest.sequence + 1
    _count_call(payment, escrow, sequence, now)
    return engine.begin(
        CREATE_PAYMENT,
        subject_id=payment.pk,
        provider=escrow.provider,
        escrow=escrow,
        now=now,
        sequence=sequence,
        arguments={
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "customer_id": customer.provider_customer_id or "",
            "description": f"Escrow for “{escrow.task.title}”"[:300],
        },
        deferred=False,
    ).pk


def _count_call(payment: Payment, escrow: Escrow, sequence: int, now: datetime) -> None:
    key = f"{payment.pk}:{sequence}"
    limits.count(user_id=escrow.client_id, purpose=limits.Purpose.PAYMENT, key=key, now=now)


@database.transactional
def confirm(provider: str, state: ProviderPayment, now: datetime) -> None:
    """Take over what the provider says of a payment: this alone funds an escrow. Raises UnknownObject."""
    payment_id = _known(provider, state)
    if payment_id is None:
        raise UnknownObject(detail=state.id)
    escrow = access.lock_by_id(Payment.objects.values_list("escrow_id", flat=True).get(pk=payment_id))
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


def _known(provider: str, state: ProviderPayment) -> int | None:
    wanted = references.object_filter("provider_payment_id", state.id, state.reference, CREATE_PAYMENT)
    # Nulls come last: a row that has the id goes before one that has none yet.
    found = Payment.objects.filter(wanted, provider=provider).order_by("provider_payment_id")
    return found.values_list("pk", flat=True).first()


def _note(payment: Payment, state: ProviderPayment) -> None:
    """Facts that only ever become known, never change."""
    payment.provider_payment_id = state.id
    if state.continuation is not None:
        payment.payer_token = payment.payer_token or state.continuation.token
    payment.provider_collection_id = state.collection_id or payment.provider_collection_id
    payment.available_at = state.available_at or payment.available_at
    if payment.state == PaymentState.PENDING.value:
        payment.provider_status = state.status.value


def _name(escrow: Escrow, payment: Payment) -> None:
    """Show with the escrow the payment that counts for it: the one that funded it, until then the newest."""
    assert payment.provider_payment_id is not None  # noqa: S101
    if _awaits(escrow) and escrow.provider_payment_id != payment.provider_payment_id:
        escrow.provider_payment_id = payment.provider_payment_id
        escrow.save(update_fields=["provider_payment_id"])


def _received(escrow: Escrow, payment: Payment, state: ProviderPayment, now: datetime) -> None:
    """Money has arrived: into escrow if it is what was asked for, else to one side."""
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
    history.deposit_became(escrow, payment, HistoryStatus.COMPLETED, now)
    audit.record("funded", actor=_SYSTEM, now=now, escrow=escrow, amount=received)
    postings.fund(escrow, payment, received, now)


def _record_fee(payment: Payment, state: ProviderPayment, now: datetime) -> None:
    """Book the provider's fee once; it may become known later than the payment itself."""
    if state.fee is None or payment.fee_minor is not None:
        return
    payment.fee_minor = state.fee.amount_minor
    payment.fee_currency = state.fee.currency
    if state.fee.amount_minor:
        postings.processing_fee(payment, state.fee, now)


class CreatePayment:
    """Performs `create_payment`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderPayment:
        """Create it."""
        wanted = operation.arguments
        return supporting(provider, Collects).create_payment(
            reference=operation.reference,
            amount=Money(wanted["amount_minor"], wanted["currency"]),
            customer_id=wanted["customer_id"],
            description=wanted["description"],
            key=operation.key,
        )

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderPayment]:
        """Look for the payment of an earlier attempt."""
        collecting = supporting(provider, Collects)
        return collecting.find_payment(reference=operation.reference, customer_id=operation.arguments["customer_id"])

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Keep its id and secret; whether it is paid comes the same way as from a webhook."""
        confirm(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Nothing was created; the client may try again."""
        audit.record(
            "payment_refused",
            actor=_SYSTEM,
            now=now,
            escrow=operation.escrow,
            note=f"{error.code}: {error.message}",
        )

    def hold(self, operation: Operation) -> str:
        """Nothing to wait for."""
        return ""
