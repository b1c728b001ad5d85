"""How the payer continues a payment or the saving of a card, for the API and for the pages."""

from dataclasses import dataclass

from multitask.payments.models import Payment
from multitask.payments.operations import engine
from multitask.payments.provider import Collects, Continuation, Embedded, Redirect


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuationFields:
    """The fields of the API's answers; those of the other way are empty."""

    client_secret: str = ""
    publishable_key: str = ""
    redirect_url: str = ""


def of_payment(payment: Payment) -> Continuation:
    """Return how the payer continues a payment."""
    return engine.provider_for(payment.provider, Collects).continuation(payment.payer_token)


def api_fields(continuation: Continuation) -> ContinuationFields:
    """Return a continuation as the API shows it."""
    match continuation:
        case Embedded():
            return ContinuationFields(client_secret=continuation.client_secret, publishable_key=continuation.key)
        case Redirect():
            return ContinuationFields(redirect_url=continuation.url)
