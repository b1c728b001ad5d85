"""Saved cards: what their owner recognises them by is stored here, the card itself by the provider.

Where a provider leaves it to us which client saved a card, its token is stored too: see `card_tokens`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from django.conf import settings
from django.db.models import QuerySet

from multitask import database
from multitask.payments.authorization import rate_limits
from multitask.payments.books import audit
from multitask.payments.errors import (
    Forbidden,
    NotFound,
    ProviderRefused,
    UnknownObject,
)
from multitask.payments.funding import customers
from multitask.payments.models import CardToken, Customer, SavedMethod
from multitask.payments.operations import direct_calls, engine, send_deadline
from multitask.payments.provider import (
    CUSTOMER_GONE,
    MethodState,
    OffersSavedCards,
    Rejected,
    SavesMethods,
    SetupState,
    supports,
)
from multitask.users.actor import Actor
from multitask.users.models import User


def _customer(actor: Actor, now: datetime) -> Customer:
    """Return the actor's customer, created at the provider if needed. Raises Forbidden."""
    if not actor.is_client or actor.user_id is None:
        raise Forbidden("Only a client can save cards.")
    with direct_calls.answered():
        engine.provider_for(settings.PAYMENT_PROVIDER, SavesMethods)
    began = send_deadline.moment()
    customer, call = _intend_customer(actor.user_id, now)
    if call is None:
        return customer
    engine.answered(call, now=now, began=began)
    return Customer.objects.get(pk=customer.pk)


@database.transactional
def _intend_customer(user_id: int, now: datetime) -> tuple[Customer, engine.Call | None]:
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    return customers.intend(user, settings.PAYMENT_PROVIDER, now)


def begin_setup(*, actor: Actor, now: datetime, request_key: str) -> SetupState:
    """Begin to save a card without a payment; the browser continues as the returned state says.

    Raises Forbidden, TooManyRequests, ProviderRefused or ProviderUnavailable.
    """
    return _with_customer(actor, now, lambda customer, customer_id: _set_up(customer, customer_id, request_key, now))


def _set_up(customer: Customer, customer_id: str, request_key: str, now: datetime) -> SetupState:
    rate_limits.count(user_id=customer.user_id, purpose=rate_limits.Purpose.SETUP, key=request_key, now=now)
    return engine.provider_for(customer.provider, SavesMethods).create_setup(
        reference=f"customer:{customer.pk}",
        customer_id=customer_id,
        key=f"setup:{customer_id}:{request_key}",
    )


Result = TypeVar("Result")


def _with_customer(actor: Actor, now: datetime, call: Callable[[Customer, str], Result]) -> Result:
    """Make a call for the actor's customer, with a new customer if it was deleted. Raises Forbidden and what it may."""
    customer = _customer(actor, now)
    try:
        with direct_calls.answered():
            return call(customer, _provider_id(customer))
    except ProviderRefused as refusal:
        if refusal.detail != CUSTOMER_GONE:
            raise
    customers.forget(customer.provider, _provider_id(customer), now)
    customer = _customer(actor, now)
    with direct_calls.answered():
        return call(customer, _provider_id(customer))


def _provider_id(customer: Customer) -> str:
    assert customer.provider_customer_id is not None  # noqa: S101
    return customer.provider_customer_id


def save(*, actor: Actor, method_id: str, make_default: bool, now: datetime) -> SavedMethod:
    """Save a card that the browser created with the provider's script.

    Raises Forbidden, TooManyRequests, ProviderRefused or ProviderUnavailable.
    """
    customer, state = _with_customer(
        actor, now, lambda customer, customer_id: (customer, _attach(customer, customer_id, method_id, now))
    )
    saved = _keep(customer, state, actor, now)
    if make_default:
        set_default(actor=actor, method_id=saved.pk, now=now)
        saved.customer.refresh_from_db()
    return saved


def _attach(customer: Customer, customer_id: str, method_id: str, now: datetime) -> MethodState:
    known = SavedMethod.objects.filter(provider=customer.provider, provider_method_id=method_id)
    earlier = known.exclude(detached_at=None).first()
    # A card that was deleted and is saved again needs a new key, or the provider would replay its old response.
    generation = 0 if earlier is None or earlier.detached_at is None else int(earlier.detached_at.timestamp())
    key = f"{method_id}:{generation}"
    rate_limits.count(user_id=customer.user_id, purpose=rate_limits.Purpose.CARD, key=key, now=now)
    return engine.provider_for(customer.provider, SavesMethods).attach_method(
        method_id=method_id, customer_id=customer_id, key=f"attach:{customer_id}:{key}"
    )


@database.transactional
def _keep(customer: Customer, state: MethodState, actor: Actor, now: datetime) -> SavedMethod:
    facts = {
        "customer": customer,
        "kind": state.kind,
        "brand": state.brand,
        "last4": state.last4,
        "expires_month": state.expires_month,
        "expires_year": state.expires_year,
    }
    saved, created = SavedMethod.objects.update_or_create(
        provider=customer.provider,
        provider_method_id=state.id,
        defaults=facts | {"detached_at": None},
        create_defaults=facts | {"created_at": now},
    )
    if created:
        audit.record("method_saved", actor=actor, now=now, user_id=customer.user_id)
    return saved


def owned(actor: Actor, *, removed: bool = False) -> QuerySet[SavedMethod]:
    """Select the actor's saved cards, with `removed` also those that were removed."""
    if actor.user_id is None:
        return SavedMethod.objects.none()
    mine = SavedMethod.objects.filter(customer__user_id=actor.user_id)
    return mine if removed else mine.filter(detached_at=None)


def _own(actor: Actor, method_id: int) -> SavedMethod:
    method = owned(actor).filter(pk=method_id).select_related("customer").first()
    if method is None:
        raise NotFound("There is no such card.")
    return method


def delete(*, actor: Actor, method_id: int, now: datetime) -> None:
    """Delete a saved card, here and at the provider, unless it was removed there already.

    Where we store its token, deleting that is all: the provider has no call for it. A payment page that was opened
    before may still offer the card. Raises NotFound, ProviderRefused or ProviderUnavailable.
    """
    method = _own(actor, method_id)
    if _is_kept_here(method):
        forget(method, actor, now)
        return
    provider = engine.provider_for(method.provider, SavesMethods)
    with direct_calls.answered():
        try:
            provider.detach_method(method_id=method.provider_method_id, key=f"detach:{method.provider_method_id}")
        except Rejected:
            if provider.read_method(method.provider_method_id).customer_id:
                raise
    forget(method, actor, now)


@database.transactional
def forget(method: SavedMethod, actor: Actor, now: datetime) -> None:
    """Remove the card from its owner's list, and as the default, with its token."""
    # First of all the locks: a card that is saved meanwhile takes it first too.
    Customer.objects.select_for_update(no_key=True).get(pk=method.customer_id)
    CardToken.objects.filter(method=method).delete()
    forgotten = SavedMethod.objects.filter(pk=method.pk, detached_at=None).update(detached_at=now)
    if forgotten:
        audit.record("method_deleted", actor=actor, now=now, user_id=method.customer.user_id)
    Customer.objects.filter(pk=method.customer_id, default_method_id=method.provider_method_id).update(
        default_method_id=""
    )


def set_default(*, actor: Actor, method_id: int, now: datetime) -> SavedMethod:
    """Make a saved card the default. A card that was removed at the provider is forgotten.

    Where we store the card's token, payment pages offer the default first, and the provider is not called.
    Raises NotFound, TooManyRequests, ProviderRefused or ProviderUnavailable.
    """
    method = _own(actor, method_id)
    if not _is_kept_here(method):
        _set_default_there(method, now)
    return _prefer(actor, method)


@database.transactional
def _prefer(actor: Actor, method: SavedMethod) -> SavedMethod:
    """Make a card the default here, unless it was removed meanwhile. Raises NotFound."""
    Customer.objects.select_for_update(no_key=True).get(pk=method.customer_id)
    present = _own(actor, method.pk)
    present.customer.default_method_id = present.provider_method_id
    present.customer.save(update_fields=["default_method_id"])
    return present


def _is_kept_here(method: SavedMethod) -> bool:
    """Return whether we store the token of a card, so that the provider knows nothing of its owner."""
    return supports(engine.provider_named(method.provider), OffersSavedCards)


def _set_default_there(method: SavedMethod, now: datetime) -> None:
    customer = method.customer
    customer_id = _provider_id(customer)
    # Every call changes the customer at the provider, even if the card is the default already, so each is counted.
    key = f"{method.provider_method_id}:{now.timestamp()}"
    rate_limits.count(user_id=customer.user_id, purpose=rate_limits.Purpose.DEFAULT_CARD, key=key, now=now)
    provider = engine.provider_for(customer.provider, SavesMethods)
    with direct_calls.answered():
        try:
            provider.set_default_method(
                customer_id=customer_id, method_id=method.provider_method_id, key=f"default:{customer.pk}:{key}"
            )
        except Rejected as refusal:
            _require_attached(method, provider, refusal, now)
            raise


def _require_attached(method: SavedMethod, provider: SavesMethods, refusal: Rejected, now: datetime) -> None:
    """After a refusal, forget a card that was removed at the provider, or its customer. Raises NotFound then."""
    if refusal.code == CUSTOMER_GONE:
        customers.forget(method.provider, refusal.object_id, now)
        raise _gone() from refusal
    if not provider.read_method(method.provider_method_id).customer_id:
        forget(method, Actor.system("provider"), now)
        raise _gone() from refusal


def _gone() -> NotFound:
    return NotFound("This card was removed at the payment provider.")


@database.transactional
def confirm(provider: str, state: MethodState, now: datetime) -> None:
    """Apply the provider's state of a saved card. Raises UnknownObject for an unknown customer."""
    if not state.customer_id:
        known = SavedMethod.objects.filter(provider=provider, provider_method_id=state.id, detached_at=None)
        for method in known.select_related("customer"):
            forget(method, Actor.system("provider"), now)
        return
    customer = Customer.objects.filter(provider=provider, provider_customer_id=state.customer_id).first()
    if customer is None:
        raise UnknownObject(detail=state.id)
    _keep(customer, state, Actor.system("provider"), now)


def confirm_setup(provider: str, state: SetupState, now: datetime) -> None:
    """Store the card of a completed set-up. Raises UnknownObject."""
    if state.status != "succeeded" or not state.method_id:
        return
    methods = engine.provider_for(provider, SavesMethods)
    confirm(provider, methods.read_method(state.method_id), now)
