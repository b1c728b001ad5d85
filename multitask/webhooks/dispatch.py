"""The command that applies each kind of object, which is read from the provider outside any transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from multitask import providers
from multitask.payments.errors import UnknownObject
from multitask.payments.escrow import refund_outcomes
from multitask.payments.funding import payment_results, saved_methods
from multitask.payments.losses import chargebacks
from multitask.payments.payouts import availability, onboarding, transfers, withdrawals
from multitask.payments.provider import (
    Collects,
    Disputes,
    HoldsAccounts,
    PaysOut,
    Provider,
    Refunds,
    SavesMethods,
    Subject,
    Transfers,
    supporting,
)
from multitask.webhooks.models import IncomingEvent


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
    route = _ROUTES[Subject(event.subject)]
    state = route.read(provider, event)
    try:
        route.confirm(event.provider, state, now)
    except UnknownObject:
        if route.is_ours(provider, state):
            raise
        raise NotOurs("The object carries no reference of ours.", is_suspicious=route.is_about_account) from None


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


_ROUTES = {
    Subject.PAYMENT: Route(
        read=lambda provider, event: supporting(provider, Collects).read_payment(event.object_id),
        confirm=payment_results.confirm,
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
        confirm=transfers.confirm,
        is_ours=_has_reference,
    ),
    Subject.REFUND: Route(
        read=lambda provider, event: supporting(provider, Refunds).read_refund(event.object_id),
        confirm=refund_outcomes.confirm,
        is_ours=_is_on_our_payment,
    ),
    Subject.PAYOUT: Route(
        read=lambda provider, event: supporting(provider, PaysOut).read_payout(
            account_id=event.account_id, payout_id=event.object_id
        ),
        confirm=withdrawals.confirm,
        is_ours=_has_reference,
    ),
    Subject.DISPUTE: Route(
        read=lambda provider, event: supporting(provider, Disputes).read_dispute(event.object_id),
        confirm=chargebacks.confirm,
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
    Subject.BALANCE: Route(
        read=lambda provider, event: event.account_id,
        confirm=availability.account_balance_changed,
        is_ours=_never,
        is_about_account=True,
    ),
}
