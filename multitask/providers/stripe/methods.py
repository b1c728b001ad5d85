"""Saved cards."""

from multitask.payments.provider import MethodState, SetupState
from multitask.providers.stripe.client import Caller, Raw


class Methods(Caller):
    """Calls about payment methods and their set-up; no card number ever passes through."""

    def create_setup(self, *, reference: str, customer_id: str, key: str) -> SetupState:
        """Begin to save a card; the browser finishes it."""
        return setup_state(
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
        """Read how far the saving is."""
        return setup_state(self._read(lambda: self._client.v1.setup_intents.retrieve(setup_id)))

    def attach_method(self, *, method_id: str, customer_id: str, key: str) -> MethodState:
        """Keep a method for a customer."""
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
        """Forget a method; it can never be used again."""
        return method_state(
            self._read(lambda: self._client.v1.payment_methods.detach(method_id, None, {"idempotency_key": key}))
        )

    def set_default_method(self, *, customer_id: str, method_id: str, key: str) -> None:
        """Say which method the customer uses unless told otherwise."""
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


def setup_state(raw: Raw) -> SetupState:
    """Translate a SetupIntent; its status stays Stripe's word."""
    return SetupState(
        id=raw["id"],
        status=raw["status"],
        client_secret=raw.get("client_secret") or "",
        customer_id=raw.get("customer") or "",
        method_id=raw.get("payment_method") or "",
    )
