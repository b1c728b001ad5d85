"""Saved cards."""

from multitask.payments.provider import Continuation, MethodState, SetupState
from multitask.providers.stripe.client import Raw
from multitask.providers.stripe.payments import Payments


class Methods(Payments):
    """Calls about payment methods and their set-up; no card number ever passes through."""

    def create_setup(self, *, reference: str, customer_id: str, key: str) -> SetupState:
        """Begin to save a card; the browser completes it."""
        return self._setup_state(
            self._read(
                lambda: self._client.v1.setup_intents.create(
                    {
                        "customer": customer_id,
                        "automatic_payment_methods": {"enabled": True},
                        "usage": "on_session",
                        "metadata": {"reference": reference},
                    },
                    {"idempotency_key": key},
                )
            )
        )

    def read_setup(self, setup_id: str) -> SetupState:
        """Read the state of a SetupIntent."""
        return self._setup_state(self._read(lambda: self._client.v1.setup_intents.retrieve(setup_id)))

    def _setup_state(self, raw: Raw) -> SetupState:
        return setup_state(raw, self.continuation(raw.get("client_secret") or ""))

    def attach_method(self, *, method_id: str, customer_id: str, key: str) -> MethodState:
        """Attach a method to a customer."""
        return method_state(
            self._read(
                lambda: self._client.v1.payment_methods.attach(
                    method_id, {"customer": customer_id}, {"idempotency_key": key}
                )
            )
        )

    def read_method(self, method_id: str) -> MethodState:
        """Read a saved method."""
        return method_state(self._read(lambda: self._client.v1.payment_methods.retrieve(method_id)))

    def detach_method(self, *, method_id: str, key: str) -> MethodState:
        """Detach a method; it can never be used again."""
        return method_state(
            self._read(lambda: self._client.v1.payment_methods.detach(method_id, None, {"idempotency_key": key}))
        )

    def set_default_method(self, *, customer_id: str, method_id: str, key: str) -> None:
        """Set the method that the customer uses by default."""
        self._read(
            lambda: self._client.v1.customers.update(
                customer_id,
                {"invoice_settings": {"default_payment_method": method_id}},
                {"idempotency_key": key},
            )
        )


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
