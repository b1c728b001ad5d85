"""Customers, payments on the platform's own account, and refunds."""

from datetime import UTC, datetime
from typing import Final

import stripe
import structlog

from multitask.money import Money
from multitask.payments.provider import (
    Continuation,
    Embedded,
    Failure,
    PaymentState,
    PaymentStatus,
    RefundState,
    RefundStatus,
    Rejected,
    Search,
    Unknown,
    converted,
)
from multitask.providers.stripe import browser, currencies, failure_messages
from multitask.providers.stripe.client import PAGE_SIZE, Caller, Raw, reference_of

log = structlog.get_logger(__name__)

# The charge tells what was taken; its balance transaction what Stripe kept and when the rest may be used.
EXPAND = ["latest_charge.balance_transaction"]

# A refund that the platform's balance cannot pay yet waits; everything else that Stripe refuses is final.
HELD_REFUNDS = frozenset({"balance_insufficient"})

_PAYMENT_STATUSES = {
    "requires_payment_method": PaymentStatus.AWAITING,
    "requires_confirmation": PaymentStatus.AWAITING,
    "requires_action": PaymentStatus.ACTION_REQUIRED,
    "processing": PaymentStatus.PROCESSING,
    "requires_capture": PaymentStatus.PROCESSING,
    "succeeded": PaymentStatus.SUCCEEDED,
    "canceled": PaymentStatus.CANCELLED,
}
_REFUND_STATUSES = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELLED,
}


class Payments(Caller):
    """Calls about customers, payments and refunds."""

    def create_customer(self, *, reference: str, email: str, name: str, key: str) -> str:
        """Create a customer, to whom cards can be attached."""
        params: stripe.params.CustomerCreateParams = {"metadata": {"reference": reference}}
        if email:
            params["email"] = email
        if name:
            params["name"] = name
        raw = self._read(lambda: self._client.v1.customers.create(params, {"idempotency_key": key}))
        return str(raw["id"])

    def find_customer(self, *, reference: str, email: str) -> Search[str]:
        """Find the customer made for a reference with this email address, of which there are few."""
        params: stripe.params.CustomerListParams = {"limit": PAGE_SIZE}
        if email:
            params["email"] = email
        found = self._find(lambda: self._client.v1.customers.list(params), reference)
        return converted(found, lambda raw: str(raw["id"]))

    def create_payment(
        self, *, reference: str, amount: Money, customer_id: str, description: str, key: str
    ) -> PaymentState:
        """Create a payment that the client's browser confirms; Stripe selects the methods to offer."""
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": currencies.charge_to_stripe(amount),
            "currency": amount.currency.lower(),
            "automatic_payment_methods": {"enabled": True},
            "metadata": {"reference": reference},
            "transfer_group": reference,
            "expand": EXPAND,
        }
        if customer_id:
            params["customer"] = customer_id
        if description:
            params["description"] = description
        return self._payment_state(
            self._read(lambda: self._client.v1.payment_intents.create(params, {"idempotency_key": key}))
        )

    def read_payment(self, payment_id: str) -> PaymentState:
        """Read a payment with its charge, fee and date of availability."""
        return self._payment_state(
            self._read(lambda: self._client.v1.payment_intents.retrieve(payment_id, {"expand": EXPAND}))
        )

    def find_payment(self, *, reference: str, customer_id: str) -> Search[PaymentState]:
        """Find the newest payment made for a reference."""
        params: stripe.params.PaymentIntentListParams = {"limit": PAGE_SIZE}
        if customer_id:
            params["customer"] = customer_id
        found = self._find(lambda: self._client.v1.payment_intents.list(params), reference)
        return converted(found, lambda raw: self.read_payment(raw["id"]))

    def cancel_payment(self, *, payment_id: str, key: str) -> PaymentState:
        """Cancel a payment that has not succeeded."""
        return self._payment_state(
            self._read(
                lambda: self._client.v1.payment_intents.cancel(payment_id, {"expand": EXPAND}, {"idempotency_key": key})
            )
        )

    def continuation(self, token: str) -> Continuation:
        """Return what the browser needs to pay."""
        return Embedded(
            client_secret=token,
            key=self._configuration.publishable_key,
            library=browser.library(self._configuration.api_base),
            page_script=browser.PAGE_SCRIPT,
        )

    def _payment_state(self, raw: Raw) -> PaymentState:
        """Translate a PaymentIntent, with how the payer continues it."""
        secret = raw.get("client_secret")
        return payment_state(raw, self.continuation(secret) if secret else None)

    def create_refund(self, *, reference: str, payment_id: str, amount: Money, key: str) -> RefundState:
        """Refund a payment, or part of it."""
        params: stripe.params.RefundCreateParams = {
            "payment_intent": payment_id,
            "amount": currencies.to_stripe(amount),
            "metadata": {"reference": reference},
        }
        return refund_state(
            self._read(lambda: self._client.v1.refunds.create(params, {"idempotency_key": key}), held=HELD_REFUNDS)
        )

    def read_refund(self, refund_id: str) -> RefundState:
        """Read a refund."""
        return refund_state(self._read(lambda: self._client.v1.refunds.retrieve(refund_id)))

    def find_refund(self, *, reference: str, payment_id: str) -> Search[RefundState]:
        """Find the refund of a payment made for a reference."""
        params: stripe.params.RefundListParams = {"payment_intent": payment_id, "limit": PAGE_SIZE}
        return converted(self._find(lambda: self._client.v1.refunds.list(params), reference), refund_state)

    def refund_failure(self, code: str, message: str) -> Failure:
        """Explain a failed refund."""
        return failure_messages.refund(code, message)


# What the provider says to programmers, as the person who pays has to be told it.
_FAILURES: Final = {
    "payment_intent_authentication_failure": (
        "Your bank could not confirm that it was you. Try again, or use another card."
    ),
}


def payment_state(raw: Raw, continuation: Continuation | None = None) -> PaymentState:
    """Translate a PaymentIntent, whose charge and balance transaction are expanded."""
    status = _PAYMENT_STATUSES.get(raw["status"])
    if status is None:
        raise _unexpected("payment", raw)
    charge = raw.get("latest_charge") if status is PaymentStatus.SUCCEEDED else None
    failure = raw.get("last_payment_error") or {}
    state = PaymentState(
        id=raw["id"],
        status=status,
        amount=currencies.from_stripe(raw["amount"], raw["currency"]),
        continuation=continuation,
        reference=reference_of(raw),
        failure_code=failure.get("decline_code") or failure.get("code") or "",
        failure_message=_FAILURES.get(failure.get("code") or "") or failure.get("message") or "",
    )
    return _with_charge(state, raw, charge) if isinstance(charge, dict) else state


def _with_charge(state: PaymentState, raw: Raw, charge: Raw) -> PaymentState:
    """Add the fields of the charge. The balance transaction may come later, and in another currency."""
    settled = charge.get("balance_transaction")
    fee, available_at = _settlement(settled) if isinstance(settled, dict) else (None, None)
    return PaymentState(
        id=state.id,
        status=state.status,
        amount=state.amount,
        continuation=state.continuation,
        received=currencies.from_stripe(raw["amount_received"], raw["currency"]),
        collection_id=charge["id"],
        fee=fee,
        available_at=available_at,
        refunded=currencies.from_stripe(charge.get("amount_refunded") or 0, charge["currency"]),
        reference=state.reference,
    )


def _settlement(settled: Raw) -> tuple[Money | None, datetime]:
    """Return Stripe's fee, and when the rest becomes available.

    A fee with fractions of our minor unit stays unknown, so that the payment can be read all the same.
    """
    available_at = datetime.fromtimestamp(settled["available_on"], UTC)
    try:
        return currencies.from_stripe(settled["fee"], settled["currency"]), available_at
    except Rejected:
        log.exception("fee not representable", fee=settled["fee"], currency=settled["currency"])
        return None, available_at


def refund_state(raw: Raw) -> RefundState:
    """Translate a refund."""
    status = _REFUND_STATUSES.get(raw.get("status") or "pending")
    if status is None:
        raise _unexpected("refund", raw)
    code = raw.get("failure_reason") or ""
    return RefundState(
        id=raw["id"],
        status=status,
        amount=currencies.from_stripe(raw["amount"], raw["currency"]),
        payment_id=raw.get("payment_intent") or "",
        reference=reference_of(raw),
        failure_code=code,
        failure_message=f"The refund did not arrive: {code.replace('_', ' ')}." if code else "",
    )


def _unexpected(what: str, raw: Raw) -> Unknown:
    """Return the error for a status that this adapter does not know; it must not move money."""
    return Unknown("unexpected_status", f"The {what} {raw['id']} has the unknown status {raw.get('status')!r}.")
