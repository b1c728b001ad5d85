"""Payouts on a platform route: from the prepaid budget to a destination of the payee.

A payout is written with its withdrawal or refund and waits until the budget covers it (`budget`). The provider honours
no idempotency keys: after an attempt of unknown outcome nothing is sent again, the payout is looked up by its
reference, and its money stays reserved until the outcome is known.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from django.db.models import Q, QuerySet

from multitask import database
from multitask.money import Money
from multitask.payments.books import budget_postings
from multitask.payments.errors import (
    DestinationMissing,
    IdentityMissing,
    IdentityRejected,
    IdentityUnconfirmed,
    PayeeNotReady,
    PayoutUnexplained,
    UnknownObject,
)
from multitask.payments.models import Disbursement, Operation, PayoutDestination, Refund, Withdrawal
from multitask.payments.operations import amounts, engine, held_calls
from multitask.payments.operations.attempt import Undecided
from multitask.payments.payouts import (
    budget,
    destination_choice,
    destination_details,
    destinations,
    overdue_payouts,
    withdrawal_outcomes,
)
from multitask.payments.payouts.budget import DISBURSE, DISBURSE_REFUND
from multitask.payments.payouts.destinations import MissingReason
from multitask.payments.provider import (
    CannotTell,
    Destination,
    DestinationKind,
    Disburses,
    Found,
    PayoutStatus,
    Provider,
    ProviderError,
    Search,
    Unavailable,
    Unknown,
    supporting,
)
from multitask.payments.provider import PayoutState as ProviderPayout

log = structlog.get_logger(__name__)

# In which the names of a payout's attempts differ; a call is never made so many times.
_ATTEMPT_BITS: Final = 0xFFFF

AMOUNT_DIFFERS: Final = "payout_amount_differs"
DETAILS_UNREADABLE: Final = "details_unreadable"
MAY_NOT_BE_PAID: Final = "may_not_be_paid"
NOT_READY: Final[Mapping[MissingReason, type[PayeeNotReady]]] = {
    MissingReason.IDENTITY_MISSING: IdentityMissing,
    MissingReason.IDENTITY_UNCONFIRMED: IdentityUnconfirmed,
    MissingReason.IDENTITY_REJECTED: IdentityRejected,
    MissingReason.DESTINATION_MISSING: DestinationMissing,
}


def require_possible(*, user_id: int, provider: str, amount: Money, now: datetime) -> PayoutDestination:
    """Return the destination of a withdrawal made now (`destination_choice`); during its cool-down it waits.

    Raises PayoutUnexplained, PayeeNotReady with the first thing that is missing, AmountTooSmall, AmountTooLarge or
    AmountTooPrecise.
    """
    if withdrawal_outcomes.paid_after_return().filter(user_id=user_id).exists():
        raise PayoutUnexplained
    for found in destinations.missing(user_id=user_id, currency=amount.currency, now=now):
        if found.reason is not MissingReason.DESTINATION_COOLING_DOWN:
            raise NOT_READY[found.reason]
    destination = destination_choice.of(user_id=user_id, currency=amount.currency, now=now)
    if destination is None:
        raise DestinationMissing  # It was removed at this moment.
    amounts.require_payout(provider, amount)
    amounts.require_disbursement(provider, DestinationKind(destination.kind), amount)
    return destination


def begin(
    destination: PayoutDestination,
    amount: Money,
    *,
    provider: str,
    user_id: int,
    now: datetime,
    withdrawal: Withdrawal | None = None,
    refund: Refund | None = None,
) -> Disbursement:
    """Write a payout of a withdrawal or of a refund; it is sent when the budget covers it."""
    disbursement = Disbursement.objects.create(
        provider=provider,
        currency=amount.currency,
        amount_minor=amount.amount_minor,
        withdrawal=withdrawal,
        refund=refund,
        destination=destination,
        usable_from=max(destination.usable_from, now),
        created_at=now,
    )
    engine.begin(
        DISBURSE if refund is None else DISBURSE_REFUND,
        subject_id=disbursement.pk,
        provider=provider,
        escrow=None if refund is None else refund.escrow,
        user_id=user_id,
        now=now,
        arguments={"amount_minor": amount.amount_minor, "currency": amount.currency},
        hold=budget.AWAITS_BUDGET,
    )
    if disbursement.usable_from <= now:
        budget.allot_soon(provider, amount.currency)
    return disbursement


def is_waiting(withdrawal: Withdrawal) -> bool:
    """Return whether a withdrawal is a payout from the budget that nothing was sent of, since it still waits."""
    found = getattr(withdrawal, "disbursement", None)
    return found is not None and found.allotted_at is None and found.ended_at is None


def call_off(withdrawal: Withdrawal, now: datetime) -> bool:
    """Call off the payout of a withdrawal that was certainly never sent; return False if it may have been sent."""
    disbursement = Disbursement.objects.select_for_update(no_key=True).get(withdrawal=withdrawal)
    creation = engine.latest(DISBURSE, disbursement.pk)
    if creation is None or not engine.withdraw(creation, code="called_off", now=now):
        return False
    _end(disbursement, now)
    disbursement.save()
    return True


def redirect(disbursement: Disbursement | None, destination: PayoutDestination, now: datetime) -> Disbursement | None:
    """Send a payout that waits to another destination of its payee; the caller has locked it."""
    if disbursement is not None:
        disbursement.destination, disbursement.usable_from = destination, max(destination.usable_from, now)
        disbursement.save(update_fields=["destination", "usable_from"])
    return disbursement


def find(provider: str, state: ProviderPayout) -> Disbursement:
    """Return the payout that the provider's state is about, by its id or its reference. Raises UnknownObject."""
    wanted = Q(provider_payout_id=state.id)
    if state.reference:
        wanted |= Q(reference=state.reference)
    found = Disbursement.objects.filter(wanted, provider=provider).order_by("provider_payout_id").first()
    if found is None:
        raise UnknownObject(detail=state.id)
    return found


@database.transactional
def confirm(disbursement: Disbursement, state: ProviderPayout, now: datetime) -> None:
    """Apply the provider's state of a withdrawal's payout."""
    _apply(disbursement.pk, state, now)
    resolve(disbursement, state, now)


def resolve(disbursement: Disbursement, state: ProviderPayout, now: datetime) -> None:
    """Mark the call of a payout succeeded that the provider reports; one that is overdue stays with the staff."""
    if not overdue_payouts.stays_open(disbursement, state.status, now):
        kind = DISBURSE if disbursement.refund_id is None else DISBURSE_REFUND
        engine.resolve(kind, disbursement.pk, now=now, reference=state.id)


def require_amount(disbursement: Disbursement, state: ProviderPayout) -> None:
    """Require that the provider reports the amount of the payout, since no other one may count. Raises Undecided."""
    if state.amount != disbursement.amount:
        log.critical(
            "payout_amount_differs",
            payout=str(disbursement),
            provider_payout=state.id,
            asked=str(disbursement.amount),
            reported=str(state.amount),
        )
        raise Undecided(CannotTell(AMOUNT_DIFFERS, f"The payment provider reports {state.amount}."))


def hold_for_staff(disbursement: Disbursement, answer: CannotTell) -> None:
    """Hold the call of a payout that has not ended until finance decides; its money stays reserved."""
    locked = Disbursement.objects.select_for_update(no_key=True).get(pk=disbursement.pk)
    if locked.ended_at is None:
        kind = DISBURSE if locked.refund_id is None else DISBURSE_REFUND
        held_calls.hold_for_staff(kind, locked.pk, code=answer.code, message=answer.message)


def reference(disbursement: Disbursement, generation: int) -> str:
    """Return the name of a payout's attempt at the provider: another one once the former had certainly no effect.

    All names of a payout differ in their last bits alone, so that `named` finds it by any of them.
    """
    return str(uuid.UUID(int=disbursement.reference.int ^ (generation - 1)))


def named(name: uuid.UUID) -> QuerySet[Disbursement]:
    """Select the payout of which one attempt has, or would have, this name at the provider."""
    first = name.int & ~_ATTEMPT_BITS
    return Disbursement.objects.filter(reference__range=(uuid.UUID(int=first), uuid.UUID(int=first | _ATTEMPT_BITS)))


def _apply(disbursement_id: int, state: ProviderPayout, now: datetime) -> None:
    seen = Disbursement.objects.get(pk=disbursement_id)
    assert seen.withdrawal_id is not None  # noqa: S101
    withdrawal = withdrawal_outcomes.lock(seen.withdrawal_id)
    disbursement = note(disbursement_id, state, now)
    withdrawal_outcomes.apply(withdrawal, state, now)
    post_costs(disbursement, state, now)


def note(disbursement_id: int, state: ProviderPayout, now: datetime) -> Disbursement:
    """Lock a payout and store what the provider reports of it; the caller has locked its withdrawal or refund."""
    disbursement = Disbursement.objects.select_for_update(no_key=True).get(pk=disbursement_id)
    is_first_answer = disbursement.provider_payout_id is None
    disbursement.provider_payout_id = disbursement.provider_payout_id or state.id
    _note_costs(disbursement, state)
    if state.status in overdue_payouts.ENDED and disbursement.ended_at is None:
        _end(disbursement, now)
    elif is_first_answer:
        # The next one may wait for its turn.
        budget.allot_soon(disbursement.provider, disbursement.currency)
    disbursement.save()
    return disbursement


def _note_costs(disbursement: Disbursement, state: ProviderPayout) -> None:
    """Store what the provider charges, which it takes when it accepts the payout; what is posted stays as it is."""
    if state.status in {PayoutStatus.FAILED, PayoutStatus.CANCELLED}:
        if disbursement.ended_at is None:
            # Without a fee it was never paid: the costs are back. With one it came back before anybody read it.
            disbursement.fee_minor = None if state.fee is None else state.fee.amount_minor
            disbursement.tax_minor = None if state.tax is None else state.tax.amount_minor
    elif state.fee is not None and (disbursement.ended_at is None or disbursement.fee_minor is None):
        disbursement.fee_minor = state.fee.amount_minor
        disbursement.tax_minor = 0 if state.tax is None else state.tax.amount_minor


def post_costs(disbursement: Disbursement, state: ProviderPayout, now: datetime) -> None:
    """Post fee and tax once the payout is paid, and once more if they came back with it."""
    if disbursement.fee_minor is None or disbursement.ended_at is None:
        return
    budget_postings.payout_costs(disbursement, now)
    if state.status is PayoutStatus.FAILED and state.fee_returned:
        budget_postings.return_payout_costs(disbursement, now)


def end(disbursement_id: int, now: datetime) -> None:
    """End a payout that the provider refused; the caller has locked its withdrawal or refund."""
    disbursement = Disbursement.objects.select_for_update(no_key=True).get(pk=disbursement_id)
    if disbursement.ended_at is None:
        _end(disbursement, now)
        disbursement.save()


def _end(disbursement: Disbursement, now: datetime) -> None:
    disbursement.ended_at = now
    budget.allot_soon(disbursement.provider, disbursement.currency)


class Disburse:
    """Performs `disburse`."""

    def call(self, provider: Provider, operation: Operation) -> ProviderPayout:
        """Pay out. A refusal for a short budget takes the allotment back, so that the payout waits in its place."""
        disbursement = Disbursement.objects.select_related("destination").get(pk=operation.subject_id)
        if not Disbursement.objects.filter(budget.may_be_paid(), pk=disbursement.pk).exists():
            # Staff has rejected the payee's identity or closed their user since the allotment.
            budget.withhold(disbursement_id=disbursement.pk)
            raise Unavailable(MAY_NOT_BE_PAID, "This payee may not be paid at present.")
        try:
            state = supporting(provider, Disburses).disburse(
                reference=reference(disbursement, operation.generation),
                destination=_in_clear(disbursement),
                amount=disbursement.amount,
            )
        except Unavailable as refusal:
            if refusal.code == budget.BUDGET_SHORT and operation.sent_at is not None:
                budget.put_back(disbursement_id=disbursement.pk, now=operation.sent_at)
            raise
        require_amount(disbursement, state)
        return state

    def find(self, provider: Provider, operation: Operation) -> Search[ProviderPayout]:
        """Look for the payout of an earlier attempt."""
        disbursement = Disbursement.objects.select_related("destination").get(pk=operation.subject_id)
        try:
            found = supporting(provider, Disburses).find_disbursement(
                reference=reference(disbursement, operation.generation),
                kind=DestinationKind(disbursement.destination.kind),
            )
        except Unknown as error:
            found = CannotTell(error.code, error.message)
        if isinstance(found, Found):
            require_amount(disbursement, found.object)
        overdue_payouts.require_ended(disbursement, found, operation.sent_at or operation.created_at)
        return found

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Handle the response as if a webhook had delivered it; the payout is often not paid yet."""
        _apply(operation.subject_id, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Make the money available again and record the reason."""
        seen = Disbursement.objects.get(pk=operation.subject_id)
        assert seen.withdrawal_id is not None  # noqa: S101
        withdrawal = withdrawal_outcomes.lock(seen.withdrawal_id)
        end(seen.pk, now)
        withdrawal_outcomes.fail(withdrawal, error.code, error.message, now)
        withdrawal.save()

    def hold(self, operation: Operation) -> str:
        """Return that the budget does not cover it yet, that its destination cools down, or that it awaits its turn."""
        return budget.hold_of(operation.subject_id)


def _in_clear(disbursement: Disbursement) -> Destination:
    """Return where to pay. Raises Unavailable while no key decrypts it: nothing was sent, and keys can be restored."""
    try:
        found = destination_details.details(disbursement.destination_id, needs_identity=disbursement.refund_id is None)
    except destination_details.Undecryptable as error:
        log.error("payout_details_unreadable", disbursement=disbursement.pk, reason=str(error))
        raise Unavailable(DETAILS_UNREADABLE, "The details of this payee cannot be read at the moment.") from error
    return Destination(
        kind=found.destination.kind,
        number=found.destination.number,
        holder=found.destination.full_name or found.legal_name,
        bank_code=found.destination.bank_code,
        issuer=found.destination.issuer,
        national_id=found.national_id,
    )
