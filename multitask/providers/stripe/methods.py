"""Saved cards."""

import stripe

from multitask.payments.provider import CUSTOMER_GONE, Continuation, MethodState, Rejected, SetupState
from multitask.providers.stripe.client import Raw
from multitask.providers.stripe.errors import MISSING, SENTENCES
from multitask.providers.stripe.payments import Payments, about_customer


class Methods(Payments):
    """Calls about payment methods and their set-up; no card number ever passes through."""

    def create_setup(self, *, reference: str, customer_id: str, key: str) -> SetupState:
        """Begin to save a card; the browser completes it."""
        params: stripe.params.SetupIntentCreateParams = {
            "customer": customer_id,
            "automatic_payment_methods": {"enabled": True},
            "usage": "on_session",
            "metadata": {"reference": reference},
        }
        with about_customer(customer_id):
            raw = self._read(lambda: self._client.v1.setup_intents.create(params, {"idempotency_key": key}))
        return self._setup_state(raw)

    def read_setup(self, setup_id: str) -> SetupState:
        """Read the state of a SetupIntent."""
        return self._setup_state(self._read(lambda: self._client.v1.setup_intents.retrieve(setup_id)))

    def _setup_state(self, raw: Raw) -> SetupState:
        return setup_state(raw, self.continuation(raw.get("client_secret") or ""))

    def attach_method(self, *, method_id: str, customer_id: str, key: str) -> MethodState:
        """Attach a method to a customer."""
        attached: stripe.params.PaymentMethodAttachParams = {"customer": customer_id}
        with about_customer(customer_id):
            raw = self._read(
                lambda: self._client.v1.payment_methods.attach(method_id, attached, {"idempotency_key": key})
            )
        return method_state(raw)

    def read_method(self, method_id: str) -> MethodState:
        """Read a saved method; one that Stripe does not know is attached to no customer."""
        try:
            return method_state(self._read(lambda: self._client.v1.payment_methods.retrieve(method_id)))
        except Rejected as refusal:
            if refusal.code != MISSING:
                raise
            return MethodState(id=method_id, customer_id="", kind="")

    def detach_method(self, *, method_id: str, key: str) -> MethodState:
        """Detach a method; it can never be used again."""
        return method_state(
            self._read(lambda: self._client.v1.payment_methods.detach(method_id, None, {"idempotency_key": key}))
        )

    def set_default_method(self, *, customer_id: str, method_id: str, key: str) -> None:
        """Set the method that the customer uses by default."""
        params: stripe.params.CustomerUpdateParams = {"invoice_settings": {"default_payment_method": method_id}}
        try:
            self._read(lambda: self._client.v1.customers.update(customer_id, params, {"idempotency_key": key}))
        except Rejected as refusal:
            if refusal.code != MISSING or not self.read_customer(customer_id).is_deleted:
                raise
            raise Rejected(CUSTOMER_GONE, SENTENCES[CUSTOMER_GONE], object_id=customer_id) from refusal


def method_state(raw: Raw) -> MethodState:
    """Translate a payment method; only cards have a brand, digits and an expiry."""
    card = raw.get("card") or {}
    return MethodState(
        id=raw["id"],
        customer_id=raw.get("customer") or "",
        kind=raw["type"],
        brand=card.get("brand") or "",
        last4=card.get("last4") or "",
        expires_month=card.get("exp_month"),
        expires_year=card.get("exp_year"),
    )


def setup_state(raw: Raw, continuation: Continuation) -> SetupState:
    """Translate a SetupIntent; its status is Stripe's."""
    return SetupState(
        id=raw["id"],
        status=raw["status"],
        continuation=continuation,
        customer_id=raw.get("customer") or "",
        method_id=raw.get("payment_method") or "",
    )
