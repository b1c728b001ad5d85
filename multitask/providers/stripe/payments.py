"""Customers, payments on the platform's own account, and refunds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import stripe
import structlog

from multitask.money import Money, MoneyError
from multitask.payments.provider import (
    CUSTOMER_GONE,
    UNNAMED_PAYER,
    Continuation,
    CustomerState,
    Embedded,
    Failure,
    Payer,
    PaymentState,
    PaymentStatus,
    RefundState,
    RefundStatus,
    Rejected,
    Returned,
    Search,
    Unknown,
    converted,
)
from multitask.providers.stripe import browser, currencies, failure_messages
from multitask.providers.stripe.client import PAGE_SIZE, Caller, Raw, reference_of
from multitask.providers.stripe.errors import MISSING
from multitask.text import masking

log = structlog.get_logger(__name__)

# The charge tells what was taken; its balance transaction what Stripe kept and when the rest may be used.
EXPAND = ["latest_charge.balance_transaction"]
EXPAND_REFUND = ["balance_transaction", "failure_balance_transaction"]

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

    def read_customer(self, customer_id: str) -> CustomerState:
        """Read a customer; one that Stripe does not know counts as deleted."""
        try:
            raw = self._read(lambda: self._client.v1.customers.retrieve(customer_id))
        except Rejected as refusal:
            if refusal.code != MISSING:
                raise
            return CustomerState(id=customer_id, is_deleted=True)
        return CustomerState(id=raw["id"], is_deleted=bool(raw.get("deleted")), reference=reference_of(raw))

    def create_payment(
        self,
        *,
        reference: str,
        amount: Money,
        customer_id: str,
        description: str,
        key: str,
        payer: Payer = UNNAMED_PAYER,
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
        with about_customer(customer_id):
            raw = self._read(lambda: self._client.v1.payment_intents.create(params, {"idempotency_key": key}))
        return self._payment_state(raw)

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

    def cancel_payment(self, *, payment_id: str, key: str, created_by: datetime | None = None) -> PaymentState:
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

    def returned(self, query: Mapping[str, str]) -> Returned:
        """Return which payment the parameters name that Stripe adds to the return address."""
        named = query.get("payment_intent", "")
        is_id = named.startswith("pi_") and named.isascii() and named.isprintable()
        return Returned(payment_id=named if is_id else "", has_failed=query.get("redirect_status") == "failed")

    def _payment_state(self, raw: Raw) -> PaymentState:
        """Translate a PaymentIntent, with how the payer continues it."""
        secret = raw.get("client_secret")
        return payment_state(raw, self.continuation(secret) if secret else None)

    def create_refund(
        self, *, reference: str, payment_id: str, amount: Money, key: str, collection_id: str = ""
    ) -> RefundState:
        """Refund a payment, or part of it."""
        params: stripe.params.RefundCreateParams = {
            "payment_intent": payment_id,
            "amount": currencies.to_stripe(amount),
            "metadata": {"reference": reference},
            "expand": EXPAND_REFUND,
        }
        return refund_state(
            self._read(lambda: self._client.v1.refunds.create(params, {"idempotency_key": key}), held=HELD_REFUNDS)
        )

    def read_refund(self, refund_id: str) -> RefundState:
        """Read a refund."""
        return refund_state(self._read(lambda: self._client.v1.refunds.retrieve(refund_id, {"expand": EXPAND_REFUND})))

    def find_refund(
        self,
        *,
        reference: str,
        payment_id: str,
        collection_id: str = "",
        amount: Money | None = None,
        refunded: Money | None = None,
    ) -> Search[RefundState]:
        """Find the refund of a payment made for a reference."""
        params: stripe.params.RefundListParams = {
            "payment_intent": payment_id,
            "limit": PAGE_SIZE,
            "expand": [f"data.{name}" for name in EXPAND_REFUND],
        }
        return converted(self._find(lambda: self._client.v1.refunds.list(params), reference), refund_state)

    def refund_failure(self, code: str, message: str) -> Failure:
        """Explain a failed refund."""
        return failure_messages.refund(code, message)


@contextmanager
def about_customer(customer_id: str) -> Iterator[None]:
    """Name the customer in a refusal because it was deleted."""
    try:
        yield
    except Rejected as refusal:
        if refusal.code != CUSTOMER_GONE:
            raise
        raise Rejected(refusal.code, refusal.message, object_id=customer_id) from refusal


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
        failure_message=_FAILURES.get(failure.get("code") or "") or masking.sentence(failure.get("message") or ""),
    )
    return _with_charge(state, raw, charge) if isinstance(charge, dict) else state


def _with_charge(state: PaymentState, raw: Raw, charge: Raw) -> PaymentState:
    """Add the fields of the charge. The balance transaction may come later, and in another currency."""
    settled = charge.get("balance_transaction")
    amount, fee, available_at = _settlement(settled) if isinstance(settled, dict) else (None, None, None)
    return PaymentState(
        id=state.id,
        status=state.status,
        amount=state.amount,
        continuation=state.continuation,
        received=currencies.from_stripe(raw["amount_received"], raw["currency"]),
        settled=amount,
        collection_id=charge["id"],
        fee=fee,
        available_at=available_at,
        refunded=currencies.from_stripe(charge.get("amount_refunded") or 0, charge["currency"]),
        reference=state.reference,
    )


def _settlement(settled: Raw) -> tuple[Money | None, Money | None, datetime]:
    """Return the gross amount as it reached the balance, Stripe's fee, and when the rest becomes available.

    An amount with fractions of our minor unit stays unknown, so that the payment can be read all the same.
    """
    available_at = datetime.fromtimestamp(settled["available_on"], UTC)
    return _known(settled, "amount"), _known(settled, "fee"), available_at


def _known(settled: Raw, name: str) -> Money | None:
    try:
        return currencies.from_stripe(settled[name], settled["currency"])
    except (Rejected, MoneyError):
        log.exception("amount not representable", name=name, amount=settled[name], currency=settled["currency"])
        return None


def refund_state(raw: Raw) -> RefundState:
    """Translate a refund."""
    status = _REFUND_STATUSES.get(raw.get("status") or "pending")
    if status is None:
        raise _unexpected("refund", raw)
    code = raw.get("failure_reason") or ""
    taken, returned = _moved_by(raw.get("balance_transaction")), _moved_by(raw.get("failure_balance_transaction"))
    return RefundState(
        id=raw["id"],
        status=status,
        amount=currencies.from_stripe(raw["amount"], raw["currency"]),
        payment_id=raw.get("payment_intent") or "",
        settled=None if taken is None else -taken,
        returned=returned,
        reference=reference_of(raw),
        failure_code=code,
        failure_message=f"The refund did not arrive: {code.replace('_', ' ')}." if code else "",
    )


def _moved_by(line: object) -> Money | None:
    """Return what an expanded balance transaction moved."""
    return _known(line, "amount") if isinstance(line, dict) else None


def _unexpected(what: str, raw: Raw) -> Unknown:
    """Return the error for a status that this adapter does not know; it must not move money."""
    return Unknown("unexpected_status", f"The {what} {raw['id']} has the unknown status {raw.get('status')!r}.")
