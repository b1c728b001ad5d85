"""The steps of a task that the money has a say in.

Each takes the task's step first, which locks the task, and looks for the escrow after that: one that opens at the
same moment is then either seen or refused.
"""

from datetime import datetime
from typing import Any, Final

from multitask import database
from multitask.marketplace import work
from multitask.marketplace.models import Task
from multitask.payments.authorization import access, approvals
from multitask.payments.books import audit, history
from multitask.payments.errors import WrongState
from multitask.payments.escrow import releases
from multitask.payments.funding.intents import CREATE_PAYMENT
from multitask.payments.funding.intents import confirm as confirm_payment
from multitask.payments.models import Escrow, Operation, Payment
from multitask.payments.operations import engine
from multitask.payments.provider import (
    ABSENT,
    Collects,
    Found,
    Provider,
    ProviderError,
    Rejected,
    Search,
    Unavailable,
    supporting,
)
from multitask.payments.provider import PaymentState as ProviderPayment
from multitask.payments.states import (
    EscrowState,
    HistoryStatus,
    OperationState,
    PaymentState,
    require,
)
from multitask.users.actor import STAFF_ROLES, Actor

CANCEL_PAYMENT: Final = "cancel_payment"


@database.transactional
def start(*, actor: Actor, task_id: int, now: datetime) -> Task:
    """Begin to work, as the assigned freelancer."""
    task = work.start(actor=actor, now=now, task_id=task_id)
    held = access.lock_by_task(task_id)
    if held is not None:
        audit.record("started", actor=actor, now=now, escrow=held)
    return task


@database.transactional
def deliver(*, actor: Actor, task_id: int, now: datetime) -> Task:
    """Deliver, as the assigned freelancer; the client's time to answer begins. Raises NotFunded or WrongState."""
    task = work.deliver(actor=actor, now=now, task_id=task_id)
    held = releases.delivered(task, now)
    audit.record("delivered", actor=actor, now=now, escrow=held)
    return task


@database.transactional
def complete(*, actor: Actor, task_id: int, now: datetime) -> Task:
    """Confirm completion, as the client. No money moves: the release is a step of its own."""
    task = work.complete(actor=actor, now=now, task_id=task_id)
    held = access.lock_by_task(task_id)
    if held is not None:
        audit.record("completed", actor=actor, now=now, escrow=held)
    return task


@database.transactional
def cancel(*, actor: Actor, task_id: int, now: datetime) -> Task:
    """Call the task off. An unpaid escrow is cancelled with it; a funded one stays until it is refunded.

    Staff cannot call off what holds a large amount: the client could take all of it back at once, which a
    second person has to approve. Raises what `work.cancel` raises, or WrongState.
    """
    task = work.cancel(actor=actor, now=now, task_id=task_id)
    held = access.lock_by_task(task_id)
    if held is None:
        return task
    if access.party(actor, held) in STAFF_ROLES and held.state == EscrowState.FUNDED.value:
        _require_small(held)
    audit.record("task_cancelled", actor=actor, now=now, escrow=held)
    if held.state == EscrowState.PENDING_PAYMENT.value:
        _cancel_unpaid(held, actor, now)
    elif held.state == EscrowState.FUNDED.value:
        held.auto_release_at = None
        held.save(update_fields=["auto_release_at"])
    return task


def _require_small(held: Escrow) -> None:
    if approvals.is_large(held, held.remaining):
        raise WrongState(f"{held.remaining} are in escrow: refund them first, which a second person approves.")
    approvals.require_none_open(held)


def _cancel_unpaid(held: Escrow, actor: Actor, now: datetime) -> None:
    require(held.escrow_state, EscrowState.CANCELLED)
    held.state, held.cancelled_at = EscrowState.CANCELLED.value, now
    held.save(update_fields=["state", "cancelled_at"])
    audit.record("cancelled", actor=actor, now=now, escrow=held)
    for payment in held.payments.filter(state=PaymentState.PENDING.value):
        if engine.latest(CANCEL_PAYMENT, payment.pk) is None:
            engine.begin(
                CANCEL_PAYMENT,
                subject_id=payment.pk,
                provider=payment.provider,
                escrow=held,
                now=now,
            )


class CancelPayment:
    """Performs `cancel_payment`. Money that arrived first is sent back when its payment is confirmed."""

    def call(self, provider: Provider, operation: Operation) -> ProviderPayment:
        """Cancel it; while its creation is unanswered there is nothing to name yet."""
        payment = Payment.objects.get(pk=operation.subject_id)
        if payment.provider_payment_id is None:
            raise _not_there(payment)
        return supporting(provider, Collects).cancel_payment(payment_id=payment.provider_payment_id, key=operation.key)

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderPayment]:
        """Read the payment: cancelled or paid, it is decided."""
        payment = Payment.objects.get(pk=operation.subject_id)
        if payment.provider_payment_id is None:
            return ABSENT
        state = supporting(provider, Collects).read_payment(payment.provider_payment_id)
        return Found(state) if state.status.value in {"cancelled", "succeeded"} else ABSENT

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Take the answer like a webhook's."""
        confirm_payment(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Paid first: its confirmation sends the money back. Never created: there is nothing to pay."""
        payment = Payment.objects.select_related("escrow").get(pk=operation.subject_id)
        if error.code == "nothing_to_cancel" and payment.state == PaymentState.PENDING.value:
            Payment.objects.filter(pk=payment.pk).update(state=PaymentState.CANCELLED.value)
            history.deposit_became(payment.escrow, payment, HistoryStatus.CANCELLED, now)

    def hold(self, operation: Operation) -> str:
        """Nothing to wait for."""
        return ""


def _not_there(payment: Payment) -> ProviderError:
    creation = engine.latest(CREATE_PAYMENT, payment.pk)
    if creation is None or creation.state == OperationState.FAILED.value:
        return Rejected("nothing_to_cancel", "The payment was never created.")
    return Unavailable("awaits_creation", "The payment's creation is not answered yet.")
