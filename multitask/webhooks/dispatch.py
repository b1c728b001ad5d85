"""The command that applies each kind of object, which is read from the provider outside any transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from multitask import providers
from multitask.payments.errors import UnknownObject
from multitask.payments.escrow import refund_payouts
from multitask.payments.funding import customers, payment_results, saved_methods, unnamed_tries
from multitask.payments.losses import adjustments, chargebacks, fraud_warnings, outside_refunds
from multitask.payments.operations import references
from multitask.payments.payouts import availability, lost_answers, onboarding, outside_payouts, reversals
from multitask.payments.provider import (
    Collects,
    Disburses,
    Disputes,
    HoldsAccounts,
    PaymentState,
    PayoutState,
    PaysOut,
    Provider,
    Refunds,
    SavesMethods,
    Subject,
    Transfers,
    TransferState,
    Unknown,
    supporting,
    supports,
)
from multitask.payments.provider.errors import PAID_BY_UNNAMED
from multitask.webhooks.models import IncomingEvent

# How many tries of an order are read, of the newest events about it.
_MOST_TRIES: Final = 5
_MOST_EVENTS: Final = 50


class NotOurs(Exception):
    """We did not create the object. `is_suspicious`: it concerns a connected account that we do not know."""

    def __init__(self, message: str, *, is_suspicious: bool) -> None:
        """Store the message."""
        super().__init__(message)
        self.is_suspicious = is_suspicious


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one kind of object is read, which command applies it, and how to tell whether we created it."""

    read: Callable[[Provider, IncomingEvent], Any]
    confirm: Callable[[str, Any, datetime], object]
    is_ours: Callable[[Provider, Any], bool]
    is_about_account: bool = False


def refresh(event: IncomingEvent, *, now: datetime) -> None:
    """Read the event's object and apply its state.

    Raises NotOurs, UnknownObject for an object of ours that is not known yet, and the provider's errors.
    """
    provider = providers.get(event.provider)
    apply(event, provider, _ROUTES[Subject(event.subject)].read(provider, event), now=now)


def look_for(event: IncomingEvent, *, now: datetime) -> None:
    """Look for the payout that the event names by our reference; if the provider lists it, apply its state.

    Raises UnknownObject and the provider's errors.
    """
    state = lost_answers.look_for_named(event.object_id)
    if state is not None:
        refund_payouts.confirm(event.provider, state, now)


def apply(event: IncomingEvent, provider: Provider, state: Any, *, now: datetime) -> None:
    """Apply the state of the event's object, which was read. Raises NotOurs, or UnknownObject."""
    route = _ROUTES[Subject(event.subject)]
    try:
        route.confirm(event.provider, state, now)
    except UnknownObject:
        if route.is_ours(provider, state):
            raise
        raise NotOurs("The object carries no reference of ours.", is_suspicious=route.is_about_account) from None


def _read_payment(provider: Provider, event: IncomingEvent) -> PaymentState:
    """Read a payment. Where its last try did not pay, read those of which we know: one that paid, or those in events.

    If none of them paid, staff has to name the one that did.
    """
    collects = supporting(provider, Collects)
    try:
        return collects.read_payment(event.object_id)
    except Unknown as error:
        if error.code != PAID_BY_UNNAMED:
            raise
        unnamed = error
    for named in _known_tries(event):
        try:
            return collects.read_payment(named)
        except Unknown as error:
            if error.code != PAID_BY_UNNAMED:
                raise
    unnamed_tries.note(provider.name, event.object_id)
    raise unnamed


def _known_tries(event: IncomingEvent) -> list[str]:
    """Return the provider's names of tries to pay an order, "order/transaction", newest first.

    Events are searched until the staff is asked: a later one is about its own try.
    """
    order_id = event.object_id.partition("/")[0]
    paid = payment_results.paid_try(event.provider, order_id)
    if paid:
        return [] if paid == event.object_id else [paid]
    if unnamed_tries.found().filter(provider=event.provider, provider_payment_id=order_id).exists():
        return []
    named = IncomingEvent.objects.filter(
        provider=event.provider, subject=Subject.PAYMENT.value, object_id__startswith=f"{order_id}/"
    )
    newest = named.exclude(object_id=event.object_id).order_by("-pk").values_list("object_id", flat=True)
    return list(dict.fromkeys(newest[:_MOST_EVENTS]))[:_MOST_TRIES]


def _has_reference(_: Provider, state: Any) -> bool:
    return bool(state.reference)


def _is_on_our_payment(provider: Provider, state: Any) -> bool:
    """Return whether the payment is ours: then so is a chargeback or a refund made in the provider's dashboard."""
    if getattr(state, "reference", ""):
        return True
    return bool(state.payment_id) and bool(supporting(provider, Collects).read_payment(state.payment_id).reference)


def _never(_: Provider, __: Any) -> bool:
    """Return False: saved cards carry no reference, and those that we saved are known."""
    return False


def read_payment(event: IncomingEvent) -> PaymentState:
    """Read the payment that an event is about. Raises the provider's errors."""
    return _read_payment(providers.get(event.provider), event)


def apply_payments(provider: str, states: Sequence[PaymentState], *, now: datetime) -> list[bool]:
    """Apply those payments that fund their escrows, in one transaction; return of each whether it was applied."""
    applied = payment_results.confirm_together(provider, states, now)
    for state, is_applied in zip(states, applied, strict=True):
        if is_applied:
            _confirm_total(provider, state, now)
    return applied


def _confirm_payment(provider: str, state: PaymentState, now: datetime) -> None:
    payment_results.confirm(provider, state, now)
    _confirm_total(provider, state, now)


def _confirm_total(provider: str, state: PaymentState, now: datetime) -> None:
    """Where refunds have no events of their own, what the total shows beyond ours was made by others."""
    if not providers.get(provider).capabilities.honours_keys:
        outside_refunds.confirm_total(provider, state, now)


def _read_payout(provider: Provider, event: IncomingEvent) -> PayoutState:
    """Read a payout from a payee's account, or one from the platform's budget."""
    if event.account_id or not supports(provider, Disburses):
        payouts = supporting(provider, PaysOut)
        return payouts.read_payout(account_id=event.account_id, payout_id=event.object_id)
    return supporting(provider, Disburses).read_disbursement(event.object_id)


def _confirm_payout(provider: str, state: PayoutState, now: datetime) -> None:
    if state.account_id:
        outside_payouts.confirm(provider, state, now)
    else:
        refund_payouts.confirm(provider, state, now)


def _confirm_transfer(provider: str, state: TransferState, now: datetime) -> None:
    if references.subject_of(state.reference, adjustments.TRANSFER_ADJUSTMENT):
        adjustments.confirm(provider, state, now)
    else:
        reversals.confirm(provider, state, now)


_ROUTES = {
    Subject.PAYMENT: Route(
        read=_read_payment,
        confirm=_confirm_payment,
        is_ours=_has_reference,
    ),
    Subject.ACCOUNT: Route(
        read=lambda provider, event: supporting(provider, HoldsAccounts).read_account(event.object_id),
        confirm=onboarding.confirm,
        is_ours=_has_reference,
        is_about_account=True,
    ),
    Subject.TRANSFER: Route(
        read=lambda provider, event: supporting(provider, Transfers).read_transfer(event.object_id),
        confirm=_confirm_transfer,
        is_ours=_has_reference,
    ),
    Subject.REFUND: Route(
        read=lambda provider, event: supporting(provider, Refunds).read_refund(event.object_id),
        confirm=outside_refunds.confirm,
        is_ours=_is_on_our_payment,
    ),
    Subject.PAYOUT: Route(
        read=_read_payout,
        confirm=_confirm_payout,
        is_ours=_has_reference,
    ),
    Subject.DISPUTE: Route(
        read=lambda provider, event: supporting(provider, Disputes).read_dispute(event.object_id),
        confirm=chargebacks.confirm,
        is_ours=_is_on_our_payment,
    ),
    Subject.FRAUD_WARNING: Route(
        read=lambda provider, event: supporting(provider, Disputes).read_fraud_warning(event.object_id),
        confirm=fraud_warnings.confirm,
        is_ours=_is_on_our_payment,
    ),
    Subject.PAYMENT_METHOD: Route(
        read=lambda provider, event: supporting(provider, SavesMethods).read_method(event.object_id),
        confirm=saved_methods.confirm,
        is_ours=_never,
    ),
    Subject.SETUP: Route(
        read=lambda provider, event: supporting(provider, SavesMethods).read_setup(event.object_id),
        confirm=saved_methods.confirm_setup,
        is_ours=_never,
    ),
    Subject.CUSTOMER: Route(
        read=lambda provider, event: supporting(provider, SavesMethods).read_customer(event.object_id),
        confirm=customers.confirm,
        is_ours=_never,
    ),
    Subject.BALANCE: Route(
        read=lambda provider, event: event.account_id,
        confirm=availability.account_balance_changed,
        is_ours=_never,
        is_about_account=True,
    ),
}
