"""Payments: an intention, which the payer pays on Paymob's page, and the transaction that pays it.

Paymob has no idempotency keys. An intention of which no answer came has been shown to nobody, since the address of its
page is in that answer, so it cannot be paid: the search for it finds nothing, and the next attempt creates another.
References of intentions are unique; a used one is refused, and the attempt after that has a new key.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import structlog

from multitask.money import Money
from multitask.payments.provider import (
    ABSENT,
    UNNAMED_PAYER,
    Continuation,
    Found,
    Payer,
    PaymentState,
    PaymentStatus,
    ProviderError,
    Redirect,
    Rejected,
    Returned,
    Search,
    Unavailable,
    Unknown,
)
from multitask.payments.provider.errors import PAID_BY_UNNAMED
from multitask.providers.paymob import amounts, errors, failure_messages, payers, saved_cards, transactions
from multitask.providers.paymob.client import Answer, Raw
from multitask.providers.paymob.inquiries import Inquiries
from multitask.providers.paymob.transactions import Transaction

log = structlog.get_logger(__name__)

# In how many generations of a key a payment is looked for: each needs an attempt whose answer was lost.
_GENERATIONS: Final = 3
_LONGEST_ID: Final = 255
# Refusals that are about the keys, the state or the number of calls, whatever was sent.
_NOT_ABOUT_THE_BODY: Final = frozenset({401, 403, 408, 409, 425, 429})


class Payments(Inquiries):
    """Calls about payments."""

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
        """Create an intention, which the payer pays on Paymob's page; `key` is its reference there.

        A used reference raises Unavailable with a spent key: nothing was created by this call, and what an earlier
        one created was shown to nobody.

        Nobody is kept from paying by a saved card: where Paymob refuses, the intention is created with fewer or none.
        """
        answer, refused_card = self._created(amount, key, payer)
        if not answer.is_success:
            raise _not_created(answer)
        order_id = transactions.identifier(answer.body.get("intention_order_id"))
        secret = answer.body.get("client_secret")
        if not order_id or not isinstance(secret, str) or not secret:
            raise errors.unexpected("intention", answer.body.get("id"))
        detail = answer.body.get("intention_detail")
        if isinstance(detail, dict) and amounts.from_piastres(detail.get("amount")) != amount:
            raise errors.unexpected("amount", detail.get("amount"))
        return PaymentState(
            id=order_id,
            status=PaymentStatus.AWAITING,
            amount=amount,
            continuation=Redirect(self._checkout(secret)),
            reference=reference,
            intention_id=_text(answer.body.get("id")),
            refused_card=refused_card,
        )

    def _created(self, amount: Money, key: str, payer: Payer) -> tuple[Answer, str]:
        """Create an intention with the saved cards that Paymob takes: after each refusal the last one is left out.

        Return the answer, and the card without which an intention was taken at last: Paymob does not know that one.
        """
        cards, refused = payer.card_tokens[: saved_cards.MOST], ""
        while True:
            answer = self._managed("/v1/intention/", self._intention(amount, key, replace(payer, card_tokens=cards)))
            if not cards or not _may_be_about_the_body(answer):
                return answer, refused if answer.is_success else ""
            log.warning("paymob refused an intention with saved cards", http_status=answer.status, cards=len(cards))
            cards, refused = cards[:-1], cards[-1]

    def read_payment(self, payment_id: str) -> PaymentState:
        """Read the payment of an order, which nobody may have tried to pay.

        `payment_id` may also be that of one transaction of the order, "order/transaction", as callbacks name it: the
        last transaction of an order may be a declined try that began after the one that succeeded.
        """
        order_id, _, transaction_id = payment_id.partition("/")
        if not transactions.identifier(order_id):
            raise Rejected(errors.MISSING, "The payment provider does not know this object.")
        named = self._payment_behind(self._transaction(transaction_id)) if transaction_id else None
        if named is not None and named.order_id != order_id:
            raise errors.unexpected("order", named.order_id)
        if named is None or not named.is_collected:
            last = self._last_of_order(order_id=order_id)
            named = None if last is None else self._decisive(last)
        if named is None:
            return PaymentState(id=order_id, status=PaymentStatus.AWAITING, amount=Money.zero(amounts.CURRENCY))
        return self._state(named)

    def find_payment(self, *, reference: str, customer_id: str) -> Search[PaymentState]:
        """Find a payment that was paid, or begun to be, for a reference.

        One that nobody has tried to pay counts as absent, also if it exists: without the answer to its creation
        nobody knows the address of its page, so that it will never be paid.
        """
        for generation in range(1, _GENERATIONS + 1):
            last = self._last_of_order(merchant_order_id=f"{reference}:{generation}")
            if last is None:
                continue
            state = self._state(self._decisive(last))
            if state.status in {PaymentStatus.SUCCEEDED, PaymentStatus.PROCESSING, PaymentStatus.ACTION_REQUIRED}:
                return Found(state)
        return ABSENT

    def _decisive(self, last: Transaction) -> Transaction:
        """Return the payment behind the last transaction of an order, or the earlier try that paid the order."""
        found = self._payment_behind(last)
        if found.is_collected or not found.order_paid.amount_minor:
            return found
        return self._that_paid(found.order_id) or found

    def cancel_payment(self, *, payment_id: str, key: str, created_by: datetime | None = None) -> PaymentState:
        """Return the payment as cancelled once it has not been paid and cannot be any more.

        Paymob has no call that cancels an intention: it only expires, so long after it was created. `Rejected` until
        then, and for a payment that is paid. A try that was begun and left, such as a code that was never entered or a
        bill that nobody took to a kiosk, stays pending for ever and keeps nothing open. Should one be paid all the
        same, such as after a change of the clock or with an old bill, it counts as a second payment and is sent back.
        """
        state = self.read_payment(payment_id)
        if state.status not in {PaymentStatus.AWAITING, PaymentStatus.ACTION_REQUIRED, PaymentStatus.CANCELLED}:
            raise Rejected(
                "payment_unexpected_state", "The payment's status has changed, so this is no longer possible."
            )
        if state.status is not PaymentStatus.CANCELLED and not self._has_expired(created_by):
            raise Rejected("payment_page_open", "The payment page is open until it expires.")
        return PaymentState(
            id=state.id,
            status=PaymentStatus.CANCELLED,
            amount=state.amount,
            refunded=state.refunded,
            reference=state.reference,
        )

    def _has_expired(self, created_by: datetime | None) -> bool:
        configuration = self._configuration
        return created_by is not None and configuration.clock() > created_by + configuration.checkout_lifetime

    def continuation(self, token: str) -> Continuation:
        """Return the page on which the payer pays."""
        return Redirect(token)

    def returned(self, query: Mapping[str, str]) -> Returned:
        """Return which order the parameters name; they are signed, and nothing is read from them that would need it."""
        order_id = transactions.identifier(query.get("order", query.get("order_id", "")))
        return Returned(payment_id=order_id, has_failed=query.get("success") == "false")

    def _checkout(self, client_secret: str) -> str:
        query = urlencode({"publicKey": self._configuration.public_key, "clientSecret": client_secret})
        return f"{self._configuration.api_base}/unifiedcheckout/?{query}"

    def _intention(self, amount: Money, key: str, payer: Payer) -> Raw:
        cards = {"card_tokens": list(payer.card_tokens)} if payer.card_tokens else {}
        return {
            **cards,
            "amount": amounts.charge_to_piastres(amount),
            "currency": amount.currency,
            "payment_methods": list(self._configuration.integration_ids),
            "billing_data": payers.billing(payer),
            "special_reference": key,
            "expiration": int(self._configuration.checkout_lifetime / timedelta(seconds=1)),
            "notification_url": self._configuration.notification_url,
            "redirection_url": self._configuration.redirection_url,
        }

    def _managed(self, path: str, body: Raw) -> Answer:
        """Make a call with the secret key."""
        headers = {"Authorization": f"Token {self._configuration.secret_key}"}
        return self._call("POST", f"{self._configuration.api_base}{path}", headers=headers, body=body)

    def _state(self, found: Transaction) -> PaymentState:
        """Return a payment by the transaction that paid it, or by the last that tried.

        Raises Unknown if the last did not pay but the order is paid: an earlier try succeeded after the last began, and
        the list of the order's tries does not show it. So the payment does not pass for unpaid; the callback of that
        try names it.
        """
        if not found.is_collected and found.order_paid.amount_minor > 0:
            # Ordinary: the callback, or the caller who knows the try that paid, names it.
            raise Unknown(PAID_BY_UNNAMED, "The order was paid by an earlier try than its last.")
        if found.is_collected and not self._is_ours(found):
            raise errors.unexpected("integration", found.integration_id)
        status = _status(found)
        known: dict[str, Any] = {}
        if found.is_collected:
            left = found.amount - found.refunded
            known = {"received": left, "settled": left, "refunded": found.refunded}
            known |= {"collection_id": found.id, "available_at": found.created_at}
            known["is_refundable"] = found.source != transactions.KIOSK
        elif status is PaymentStatus.AWAITING:
            code = found.failure_code or "declined"
            known = {"failure_code": code, "failure_message": failure_messages.payment(code)}
        return PaymentState(
            id=found.order_id,
            status=status,
            amount=found.amount,
            reference=_without_generation(found.special_reference),
            **known,
        )

    def _is_ours(self, found: Transaction) -> bool:
        """Return whether it was paid by a way that we offer: a test integration moves no money."""
        return found.integration_id in map(str, self._configuration.integration_ids)


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= _LONGEST_ID else ""


def _status(found: Transaction) -> PaymentStatus:
    """Return the status of a payment.

    One that went back in full before it was seen has funded nothing and is cancelled; of one that went back in part
    the rest was received.
    """
    if found.is_collected:
        return PaymentStatus.CANCELLED if found.has_gone_back else PaymentStatus.SUCCEEDED
    if found.is_pending:
        # The payer still has to give a code, or to pay at the kiosk.
        return PaymentStatus.ACTION_REQUIRED
    return PaymentStatus.PROCESSING if found.is_success and found.is_authorization else PaymentStatus.AWAITING


def _without_generation(special_reference: str) -> str:
    """Return the reference of an operation, from the key of an attempt; empty for what is not a key."""
    reference, _, generation = special_reference.rpartition(":")
    return reference if generation.isascii() and generation.isdigit() else ""


def _may_be_about_the_body(answer: Answer) -> bool:
    """Return whether a refusal, which created nothing, may be about what was sent other than its reference."""
    return 400 <= answer.status < 500 and answer.status not in _NOT_ABOUT_THE_BODY and not _is_reference_used(answer)


def _is_reference_used(answer: Answer) -> bool:
    """Return whether an answer says that the reference has an intention already.

    Paymob's answer then is not documented; a plugin speaks of a "duplicate order" (secondary).
    """
    said = errors.everything_said(dict(answer.body))
    return answer.status < 500 and ("duplicate" in said or "special_reference" in answer.body)


def _not_created(answer: Answer) -> ProviderError:
    """Return why an intention was refused."""
    if _is_reference_used(answer):
        return Unavailable("reference_used", "The payment is being created anew.", key_spent=True)
    if answer.status == 404:
        # An integration id that is wrong, or of the other mode.
        return errors.misconfigured(answer.status)
    return errors.refusal(answer)
