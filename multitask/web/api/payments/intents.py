"""`/payments/intents/`: paying for an accepted application."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from multitask.marketplace import paying
from multitask.money import Money
from multitask.payments.funding.intents import Intent
from multitask.payments.states import EscrowState
from multitask.web import continuations
from multitask.web.api import auth
from multitask.web.api.idempotency import idempotent
from multitask.web.api.operations import IDEMPOTENCY_KEY, responses
from multitask.web.api.schemas import AmountOut, Body, CurrencyOut, IdIn, Output, amount_out

router = Router(tags=["intents"])


class IntentIn(Body):
    """Which accepted application is paid."""

    application_id: IdIn


class IntentOut(Output):
    """What the provider's script needs to take the payment, and its agreed shares."""

    client_secret: str
    payment_intent_id: str
    publishable_key: str
    redirect_url: str
    escrow_id: uuid.UUID
    amount: AmountOut
    platform_fee: AmountOut
    freelancer_amount: AmountOut
    currency: CurrencyOut
    status: EscrowState
    existing: bool


@router.post(
    "/intents/create/",
    operation_id="intents_create",
    response=responses({200: IntentOut, 201: IntentOut}, 404, 429, body=True, moves_money=True),
    openapi_extra=IDEMPOTENCY_KEY,
)
def create(request: HttpRequest, body: IntentIn) -> HttpResponse:
    """Create the payment of an accepted application, as the task's client, or return the one there is."""

    def execute(request_key: str) -> tuple[int, IntentOut]:
        intent = paying.create_intent(
            actor=auth.actor_of(request), application_id=body.application_id, now=timezone.now()
        )
        return (200 if intent.existing else 201), show(intent)

    return idempotent(request, endpoint="intents/create", body=body, execute=execute)


def show(intent: Intent) -> IntentOut:
    """Make the answer that shows an intent."""
    escrow, payment = intent.escrow, intent.payment
    fields = continuations.api_fields(continuations.of_payment(payment))
    return IntentOut(
        client_secret=fields.client_secret,
        payment_intent_id=payment.provider_payment_id or "",
        publishable_key=fields.publishable_key,
        redirect_url=fields.redirect_url,
        escrow_id=escrow.public_id,
        amount=amount_out(escrow.total),
        platform_fee=amount_out(Money(escrow.fee_minor, escrow.currency)),
        freelancer_amount=amount_out(Money(escrow.freelancer_minor, escrow.currency)),
        currency=escrow.currency,
        status=EscrowState(escrow.state),
        existing=intent.existing,
    )
