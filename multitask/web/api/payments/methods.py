"""`/payments/payment-methods/`: saved cards."""

import uuid
from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router
from ninja.responses import Status
from pydantic import Field

from multitask.payments.funding import saved_methods
from multitask.payments.models import SavedMethod
from multitask.web import continuations
from multitask.web.api import auth, pagination
from multitask.web.api.operations import responses
from multitask.web.api.pagination import PageQuery
from multitask.web.api.schemas import NOTHING, Body, Empty, Id, Message, Output, Page

router = Router(tags=["payment methods"])


class MethodIn(Body):
    """A card that the provider's script has created in the browser; its number never reaches us."""

    payment_method_id: Annotated[str, Field(pattern=r"^pm_[A-Za-z0-9_]{1,200}$")]
    set_default: bool = False


class MethodOut(Output):
    """A saved card, as its owner recognises it. `card_...` repeat the fields without that prefix."""

    id: int
    provider: str
    payment_method_id: str
    stripe_payment_method_id: str
    type: str
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None
    card_brand: str
    card_last4: str
    card_exp_month: int | None
    card_exp_year: int | None
    is_active: Annotated[bool, Field(description="True until the card is removed, here or at the provider.")]
    is_default: bool
    created_at: datetime


class MethodSaved(MethodOut):
    """The card that was saved, and once more as an object of its own."""

    payment_method: MethodOut


class SetupOut(Output):
    """What the provider's script needs to save a card without a payment."""

    client_secret: str
    setup_intent_id: str
    publishable_key: str
    redirect_url: str


@router.get(
    "/payment-methods/",
    operation_id="methods_list",
    response=responses({200: Page[MethodOut]}),
)
def listed(request: HttpRequest, paging: PageQuery) -> Page[MethodOut]:
    """List the caller's saved cards, newest first."""
    found = saved_methods.owned(auth.actor_of(request)).select_related("customer").order_by("-pk")
    return pagination.page(request, paging, found, show)


@router.post(
    "/payment-methods/create/",
    operation_id="methods_create",
    response=responses({201: MethodSaved}, 409, 429, body=True),
)
def create(request: HttpRequest, body: MethodIn) -> Status[MethodSaved]:
    """Save a card for later payments, as a client."""
    saved = saved_methods.save(
        actor=auth.actor_of(request),
        method_id=body.payment_method_id,
        make_default=body.set_default,
        now=timezone.now(),
    )
    card = show(saved)
    return Status(201, MethodSaved(**card.model_dump(), payment_method=card))


@router.post(
    "/payment-methods/setup/",
    operation_id="methods_setup",
    response=responses({201: SetupOut}, 409, 429, body=True),
)
def setup(request: HttpRequest, body: Empty = NOTHING) -> Status[SetupOut]:
    """Begin to save a card in the browser, as a client."""
    made = saved_methods.begin_setup(actor=auth.actor_of(request), now=timezone.now(), request_key=str(uuid.uuid4()))
    fields = continuations.api_fields(made.continuation)
    return Status(
        201,
        SetupOut(
            client_secret=fields.client_secret,
            setup_intent_id=made.id,
            publishable_key=fields.publishable_key,
            redirect_url=fields.redirect_url,
        ),
    )


@router.post(
    "/payment-methods/{int:method_id}/delete/",
    operation_id="methods_delete",
    response=responses({200: Message}, 404, 409, body=True),
)
def delete(request: HttpRequest, method_id: Id, body: Empty = NOTHING) -> Message:
    """Remove a saved card."""
    saved_methods.delete(actor=auth.actor_of(request), method_id=method_id, now=timezone.now())
    return Message(message="The card was removed.")


@router.delete(
    "/payment-methods/{int:method_id}/delete/",
    operation_id="methods_remove",
    response=responses({200: Message}, 404, 409, body=True),
)
def remove(request: HttpRequest, method_id: Id, body: Empty = NOTHING) -> Message:
    """Remove a saved card, as `POST` to this address does."""
    return delete(request, method_id, body)


@router.post(
    "/payment-methods/{int:method_id}/set-default/",
    operation_id="methods_set_default",
    response=responses({200: MethodOut}, 404, 409, 429, body=True),
)
def set_default(request: HttpRequest, method_id: Id, body: Empty = NOTHING) -> MethodOut:
    """Make this card the default."""
    method = saved_methods.set_default(actor=auth.actor_of(request), method_id=method_id, now=timezone.now())
    return show(method)


def show(method: SavedMethod) -> MethodOut:
    """Make the answer that shows a saved card."""
    return MethodOut(
        id=method.pk,
        provider=method.provider,
        payment_method_id=method.provider_method_id,
        stripe_payment_method_id=method.provider_method_id if method.provider == "stripe" else "",
        type=method.kind,
        brand=method.brand,
        last4=method.last4,
        exp_month=method.expires_month,
        exp_year=method.expires_year,
        card_brand=method.brand,
        card_last4=method.last4,
        card_exp_month=method.expires_month,
        card_exp_year=method.expires_year,
        is_active=method.detached_at is None,
        is_default=method.provider_method_id == method.customer.default_method_id,
        created_at=method.created_at,
    )
