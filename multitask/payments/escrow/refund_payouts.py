"""Refunds of payments that the provider cannot send back the way they came: paid out to a destination of the client.

The refund's money is reserved like that of any other. Its payout begins once the client has a destination; it comes out
of the payout budget, while what was collected stays where it is.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import structlog
from django.db.models import Q, QuerySet

from multitask import database
from multitask.payments.authorization import access, approvals, locks
from multitask.payments.books import audit
from multitask.payments.errors import Forbidden, NotFound, WrongState
from multitask.payments.escrow import refund_outcomes
from multitask.payments.models import Approval, AuditEvent, Disbursement, Escrow, Operation, PayoutDestination, Refund
from multitask.payments.operations.attempt import Undecided
from multitask.payments.payouts import budget, destination_choice, destinations, disbursements, refund_destinations
from multitask.payments.payouts.disbursements import Disburse
from multitask.payments.provider import DestinationKind, PayoutStatus, ProviderError, RefundState, RefundStatus
from multitask.payments.provider import PayoutState as ProviderPayout
from multitask.payments.states import RefundState as OurState
from multitask.users import powers
from multitask.users.actor import Actor, Power

log = structlog.get_logger(__name__)

# So long may clients take to name a destination before their refund is shown to the staff.
SHOWN_AFTER: Final = timedelta(days=3)
_STATUSES: Final = {
    PayoutStatus.PAID: RefundStatus.SUCCEEDED,
    PayoutStatus.FAILED: RefundStatus.FAILED,
    PayoutStatus.CANCELLED: RefundStatus.CANCELLED,
}


class Obstacle(StrEnum):
    """What a refund that is paid out waits for; also the name of its event, and of its reason in the API."""

    NO_DESTINATION = "refund_awaits_destination"
    OTHER_DESTINATION = "refund_needs_other_destination"  # the one that there is does not take the amount


def due(*, now: datetime) -> list[int]:
    """Return the ids of refunds that have to be paid out and whose client has a destination that takes them.

    Also of those whose destination was removed: they go to the one that the client has now.
    """
    return [refund.pk for refund in _possible(_waiting()) if _obstacle(refund, now) is None]


def are_waiting() -> bool:
    """Return whether any refund is due or without destination. One statement, however many there are."""
    return _waiting().exists()


def obstacle(escrow: Escrow, now: datetime) -> Obstacle | None:
    """Return what a refund of an escrow waits for from its client, None if for nothing. At most four statements."""
    if not escrow.is_on_platform:
        return None
    return next(_obstacles(_waiting().filter(escrow=escrow), now), None)


def first_hindered(user_id: int, now: datetime) -> Refund | None:
    """Return a client's first refund that waits for a destination, or for another one. One statement without any."""
    waiting = _possible(_waiting().filter(escrow__client_id=user_id).select_related("escrow__agreement"))
    return next((refund for refund in waiting if _obstacle(refund, now) is not None), None)


def leaves_at(refund: Refund, now: datetime) -> datetime | None:
    """Return until when a refund waits for its destination's cool-down, None if it does not. One statement."""
    begun = Disbursement.objects.filter(refund=refund, allotted_at=None, ended_at=None, usable_from__gt=now)
    return begun.order_by("-pk").values_list("usable_from", flat=True).first()


def needs_other_destination(user_id: int, now: datetime) -> bool:
    """Return whether a refund of a client waits for a destination that takes its amount. Four statements a refund."""
    return Obstacle.OTHER_DESTINATION in _obstacles(_waiting().filter(escrow__client_id=user_id), now)


def is_expected(user_id: int) -> bool:
    """Return whether a refund is, or is going to be, paid out to a destination of this client."""
    return Refund.objects.filter(
        escrow__client_id=user_id, state=OurState.PENDING.value, payment__is_refundable=False
    ).exists()


def without_destination(*, now: datetime) -> list[int]:
    """Return the ids of refunds whose client has no destination that takes them."""
    return [refund.pk for refund in _possible(_waiting()) if _obstacle(refund, now) is not None]


def long_waiting(now: datetime) -> QuerySet[Refund]:
    """Select the refunds whose client has given no destination that takes them for a while."""
    return refund_destinations.unbegun().filter(created_at__lte=now - SHOWN_AFTER)


@database.transactional
def note_waiting(*, refund_id: int, now: datetime) -> None:
    """Record once that a refund waits for a destination, or for another one; the client's notice follows from it."""
    escrow = locks.lock_by_id(Refund.objects.get(pk=refund_id).escrow_id)
    refund = _waiting().select_for_update(no_key=True, of=("self",)).filter(pk=refund_id).first()
    found = None if refund is None else _obstacle(refund, now)
    if refund is None or found is None:
        return
    details: dict[str, str | int] = {"refund": refund.pk}
    if found is Obstacle.OTHER_DESTINATION:
        unfit = destination_choice.of(user_id=escrow.client_id, currency=refund.currency, now=now)
        details["destination"] = "" if unfit is None else str(unfit.public_id)
    if AuditEvent.objects.filter(escrow=escrow, event=found.value, details=details).exists():
        return
    audit.record(
        found.value, actor=Actor.system("refund"), now=now, escrow=escrow, amount=refund.amount, details=details
    )


def _waiting() -> QuerySet[Refund]:
    """Select the refunds whose payout has not begun, or would go to a destination that its owner has removed."""
    misled = budget.to_removed(Disbursement.objects.filter(refund__isnull=False)).values("pk")
    waiting = Refund.objects.filter(
        Q(disbursement=None) | Q(disbursement__in=misled),
        state=OurState.PENDING.value,
        payment__is_refundable=False,
    )
    return waiting.select_related("escrow")


def _possible(refunds: QuerySet[Refund]) -> Iterator[Refund]:
    """Yield the refunds that some kind of destination takes: of another one its client can do nothing."""
    for refund in refunds.order_by("pk"):
        if refund_destinations.is_possible(refund.provider, refund.amount):
            yield refund


def _obstacles(refunds: QuerySet[Refund], now: datetime) -> Iterator[Obstacle]:
    for refund in _possible(refunds):
        found = _obstacle(refund, now)
        if found is not None:
            yield found


def _obstacle(refund: Refund, now: datetime) -> Obstacle | None:
    """Return what a refund that waits needs from its client, None if it can be paid out."""
    destination = _destination(refund, now)
    if destination is None:
        return Obstacle.NO_DESTINATION
    return None if _takes(destination, refund) else Obstacle.OTHER_DESTINATION


def _destination(refund: Refund, now: datetime) -> PayoutDestination | None:
    """Return where a refund goes: if what is in use does not take its amount, to the one that will replace it."""
    user_id, currency = refund.escrow.client_id, refund.currency
    chosen = destination_choice.of(user_id=user_id, currency=currency, now=now)
    if chosen is None or _takes(chosen, refund):
        return chosen
    coming = destinations.listed(user_id=user_id, currency=currency, now=now)[-1:]
    return next((one for one in coming if _takes(one, refund)), chosen)


def _takes(destination: PayoutDestination, refund: Refund) -> bool:
    return refund_destinations.takes(refund.provider, DestinationKind(destination.kind), refund.amount)


@database.transactional
def begin(*, refund_id: int, now: datetime) -> Disbursement | None:
    """Begin the payout of a refund to the client's destination.

    Return None if it has begun, or waits for a destination: there is none yet, or none that takes this amount; or for
    finance to explain another refund of its payment, which was paid after it had failed; or for a second person to
    approve that it was paid by bank transfer.
    """
    seen = Refund.objects.get(pk=refund_id)
    escrow = locks.lock_by_id(seen.escrow_id)
    refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
    if refund.state != OurState.PENDING.value or _is_said_to_be_paid(refund):
        return None
    if paid_after_failure().filter(refund__payment=refund.payment_id).exists():
        log.error("refund_awaits_explanation", refund=refund.pk)
        return None
    destination = _destination(refund, now)
    if destination is None or not _takes(destination, refund):
        return None
    begun = Disbursement.objects.select_for_update(no_key=True, of=("self",)).filter(refund=refund)
    if begun.exists():
        return disbursements.redirect(budget.to_removed(begun).first(), destination, now)
    return disbursements.begin(
        destination, refund.amount, provider=refund.provider, user_id=escrow.client_id, refund=refund, now=now
    )


def _is_said_to_be_paid(refund: Refund) -> bool:
    """Return whether a record that it was paid by bank transfer waits for a second person."""
    asked = Approval.objects.filter(escrow=refund.escrow_id, kind=approvals.REFUND_BY_BANK, decided_at=None)
    return asked.filter(arguments__refund_id=refund.pk).exists()


@database.transactional
def confirm(provider: str, state: ProviderPayout, now: datetime) -> None:
    """Apply the provider's state of a payout from the budget, of a withdrawal or a refund.

    A state with another amount does not count: the payout is held until finance decides. Raises UnknownObject.
    """
    found = disbursements.find(provider, state)
    try:
        disbursements.require_amount(found, state)
    except Undecided as fault:
        disbursements.hold_for_staff(found, fault.answer)
        return
    if found.refund_id is None:
        disbursements.confirm(found, state, now)
        return
    _apply(found.pk, state, now)
    disbursements.resolve(found, state, now)


def _apply(disbursement_id: int, state: ProviderPayout, now: datetime) -> None:
    seen = Disbursement.objects.select_related("refund").get(pk=disbursement_id)
    assert seen.refund is not None  # noqa: S101
    locks.lock_by_id(seen.refund.escrow_id)
    refund = Refund.objects.select_for_update(no_key=True).get(pk=seen.refund.pk)
    disbursement = disbursements.note(disbursement_id, state, now)
    refund_outcomes.confirm(refund.provider, _as_refund(refund, state), now)
    disbursements.post_costs(disbursement, state, now)
    refund.refresh_from_db()
    _note_paid_twice(refund, disbursement, state, now)


def _note_paid_twice(refund: Refund, disbursement: Disbursement, state: ProviderPayout, now: datetime) -> None:
    """Record once that a refund was paid after its money was given back: finance has to explain it."""
    is_paid_again = state.status is PayoutStatus.PAID and refund.state == OurState.FAILED.value
    if not is_paid_again or disbursement.paid_after_failure_at is not None:
        return
    disbursement.paid_after_failure_at = now
    disbursement.save(update_fields=["paid_after_failure_at"])
    log.critical("refund_paid_after_failure", refund=refund.pk, provider_payout=state.id)
    audit.record(
        "refund_paid_after_failure",
        actor=Actor.system("provider"),
        now=now,
        escrow=refund.escrow,
        amount=refund.amount,
        note=state.id,
    )


def paid_after_failure() -> QuerySet[Disbursement]:
    """Select the refunds that were paid after their money was given back, and that nobody has explained."""
    return Disbursement.objects.filter(
        refund__isnull=False, paid_after_failure_at__isnull=False, paid_explained_at=None
    )


@database.transactional
def explain(*, actor: Actor, disbursement_id: int, note: str, now: datetime) -> Disbursement:
    """Record why a refund was paid after it had failed, as finance; refunds of its payment can be paid out again then.

    One that is explained already is returned. Raises Forbidden, ProofNeeded, NotFound or WrongState.
    """
    powers.require(actor, Power.ADJUST, Forbidden("Only finance staff explains payouts."))
    seen = Disbursement.objects.select_related("refund").filter(pk=disbursement_id, refund__isnull=False).first()
    if seen is None or seen.refund is None:
        raise NotFound("There is no such refund.")
    escrow = locks.lock_by_id(seen.refund.escrow_id)
    access.require_neutral(actor, escrow)
    disbursement = Disbursement.objects.select_for_update(no_key=True).get(pk=disbursement_id)
    if disbursement.paid_explained_at is not None:
        return disbursement
    if not note.strip():
        raise WrongState("An explanation needs a reason.")
    if disbursement.paid_after_failure_at is None:
        raise WrongState("There is nothing to explain about this refund.")
    disbursement.paid_explained_at = now
    disbursement.save(update_fields=["paid_explained_at"])
    audit.record("refund_paid_explained", actor=actor, now=now, escrow=escrow, amount=seen.refund.amount, note=note)
    return disbursement


def _as_refund(refund: Refund, state: ProviderPayout) -> RefundState:
    """Return the payout as the state of its refund, which has the reference by which `refund_outcomes` knows it."""
    return RefundState(
        id=f"payout:{state.id}",
        status=_STATUSES.get(state.status, RefundStatus.PENDING),
        amount=state.amount,
        payment_id=refund.payment.provider_payment_id or "",
        reference=f"{refund_outcomes.CREATE_REFUND}:{refund.pk}:1",
        failure_code=state.failure_code,
        failure_message=state.failure_message,
    )


class DisburseRefund(Disburse):
    """Performs `disburse_refund`."""

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it; the payout is often not paid yet."""
        _apply(operation.subject_id, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Return the money to its source."""
        seen = Disbursement.objects.select_related("refund").get(pk=operation.subject_id)
        assert seen.refund is not None  # noqa: S101
        escrow = locks.lock_by_id(seen.refund.escrow_id)
        refund = Refund.objects.select_for_update(no_key=True).get(pk=seen.refund.pk)
        disbursements.end(seen.pk, now)
        refund_outcomes.fail(escrow, refund, error.code, error.message, now)
