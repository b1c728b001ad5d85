"""Refunds and voids of payments, which are transactions of their own.

Paymob stores no reference of ours with a refund and has no idempotency keys. What a lost answer did is read from the
total that has been refunded of the payment, so refunds of one payment have to be sent one after the other.
"""

from datetime import datetime
from typing import Final

from multitask.money import Money
from multitask.payments.provider import (
    ABSENT,
    CannotTell,
    Failure,
    Found,
    RefundState,
    RefundStatus,
    Rejected,
    Search,
)
from multitask.providers.paymob import amounts, errors, failure_messages, times, transactions
from multitask.providers.paymob.client import Answer
from multitask.providers.paymob.payments import Payments
from multitask.providers.paymob.transactions import Transaction

NOT_POSSIBLE: Final = "refund_not_possible"
ALREADY_REFUNDED: Final = "charge_already_refunded"
# The id of a refund whose own is unknown: the payment's transaction, the total refunded before, and the amount.
_PLUS: Final = "+"


class Refunds(Payments):
    """Calls about refunds."""

    def create_refund(
        self, *, reference: str, payment_id: str, amount: Money, key: str, collection_id: str = ""
    ) -> RefundState:
        """Refund a payment, or part of it.

        A card payment of the same day that goes back in full is voided, which costs nothing; if that is refused it is
        refunded. Raises Rejected with `refund_not_possible` for a payment at a kiosk, which Paymob cannot refund.
        """
        wanted = amounts.to_piastres(amount)
        with errors.nothing_sent():
            paid = self._refundable(payment_id, collection_id, amount)
        if amount == paid.amount and _can_be_voided(paid, self._configuration.clock()):
            state = self._voided(paid, reference)
            if state is not None:
                return state
        body = {"transaction_id": int(paid.id), "amount_cents": wanted}
        return self._refund_made(self._managed("/api/acceptance/void_refund/refund", body), paid, amount, reference)

    def read_refund(self, refund_id: str) -> RefundState:
        """Read a refund by the id of its transaction, or by the total that proved it."""
        if _PLUS in refund_id:
            return self._proven(refund_id)
        found = self._transaction(refund_id)
        if not found.is_child:
            raise Rejected(errors.MISSING, "The payment provider does not know this object.")
        return _state(found, found.amount, "")

    def find_refund(
        self,
        *,
        reference: str,
        payment_id: str,
        collection_id: str = "",
        amount: Money | None = None,
        refunded: Money | None = None,
    ) -> Search[RefundState]:
        """Decide by the total refunded of a payment whether a refund was made: found if it has grown by the amount.

        An unchanged total proves little, since the request may still be on its way, and sending it again could refund
        twice. It proves enough when the refund is all that is left: Paymob never refunds more than was paid, so of two
        such requests one is refused. Not, though, while the payment could still be voided, since nothing is known
        about a void that meets a refund. Otherwise the answer is that nobody can tell. Staff then looks at Paymob's
        dashboard and, if the refund is not there, makes it there: the next search finds it by the total.
        """
        if amount is None or refunded is None:
            return CannotTell("totals_unknown", "The payment provider stores no references of refunds.")
        paid = self._paid(payment_id, collection_id)
        if paid.refunded == refunded + amount:
            return Found(self._found(paid, amount, reference))
        if paid.refunded != refunded:
            return CannotTell("refund_totals_differ", "The total refunded of the payment is not what was expected.")
        if refunded + amount == paid.amount and not _can_be_voided(paid, self._configuration.clock()):
            return ABSENT
        return CannotTell("refund_not_seen", "The refund may still be on its way to the payment provider.")

    def refund_failure(self, code: str, message: str) -> Failure:
        """Explain a failed refund."""
        return Failure(failure_messages.refund(code), needs_new_details=False)

    def _refundable(self, payment_id: str, collection_id: str, amount: Money) -> Transaction:
        """Read the transaction that paid. Raises Rejected if it cannot be refunded by that amount."""
        paid = self._paid(payment_id, collection_id)
        if paid.source == transactions.KIOSK:
            raise Rejected(NOT_POSSIBLE, failure_messages.refund(NOT_POSSIBLE))
        if paid.refunded + amount > paid.amount:
            raise Rejected(ALREADY_REFUNDED, failure_messages.refund(ALREADY_REFUNDED))
        return paid

    def _paid(self, payment_id: str, collection_id: str) -> Transaction:
        """Read the transaction that paid. Raises Rejected if there is none.

        `payment_id` is an order, or "order/transaction" for one that was paid twice.
        """
        order_id, _, transaction_id = payment_id.partition("/")
        collection_id = collection_id or transaction_id
        if collection_id:
            found = self._transaction(collection_id)
        else:
            last = self._last_of_order(order_id=order_id)
            if last is None:
                raise Rejected("payment_unexpected_state", "The payment was not paid.")
            found = self._payment_behind(last)
        if found.order_id != order_id:
            raise errors.unexpected("order", found.order_id)
        if not found.is_collected:
            raise Rejected("payment_unexpected_state", "The payment was not paid.")
        return found

    def _voided(self, paid: Transaction, reference: str) -> RefundState | None:
        """Void a payment; return None if that was refused, and nothing was done."""
        answer = self._managed("/api/acceptance/void_refund/void", {"transaction_id": int(paid.id)})
        if answer.is_success:
            child = transactions.read(answer.body)
            if child.is_success or child.is_pending:
                return self._checked(child, paid, paid.amount, reference)
            return None
        refused = errors.refusal(answer)
        if isinstance(refused, Rejected):
            return None
        raise refused

    def _refund_made(self, answer: Answer, paid: Transaction, amount: Money, reference: str) -> RefundState:
        if not answer.is_success:
            raise errors.refusal(answer)
        child = transactions.read(answer.body)
        if not (child.is_success or child.is_pending):
            code = child.failure_code or "declined"
            raise Rejected(code, failure_messages.refund(code))
        return self._checked(child, paid, amount, reference)

    def _checked(self, child: Transaction, paid: Transaction, amount: Money, reference: str) -> RefundState:
        """Return the refund that an answer shows. Raises Unknown if it is not the one that was asked for."""
        if child.id == paid.id or child.order_id != paid.order_id or child.amount != amount:
            raise errors.unexpected("refund", child.id)
        return _state(child, amount, reference)

    def _found(self, paid: Transaction, amount: Money, reference: str) -> RefundState:
        """Return a refund that the total proves: by its own transaction if that is the order's last."""
        last = self._last_of_order(order_id=paid.order_id)
        if last is not None and last.parent_id == paid.id and last.amount == amount and _has_succeeded(last):
            return _state(last, amount, reference)
        before = paid.refunded - amount
        return RefundState(
            id=f"{paid.id}{_PLUS}{before.amount_minor}{_PLUS}{amount.amount_minor}",
            status=RefundStatus.SUCCEEDED,
            amount=amount,
            payment_id=paid.order_id,
            reference=reference,
        )

    def _proven(self, refund_id: str) -> RefundState:
        """Read a refund that only a total proved."""
        paid_id, *written = refund_id.split(_PLUS)
        known = [amounts.from_piastres(value) for value in written]
        if len(known) != 2 or known[0] is None or known[1] is None:
            raise Rejected(errors.MISSING, "The payment provider does not know this object.")
        paid = self._transaction(paid_id)
        if paid.refunded < known[0] + known[1]:
            raise errors.unexpected("refunded_amount", paid.refunded)
        return RefundState(id=refund_id, status=RefundStatus.SUCCEEDED, amount=known[1], payment_id=paid.order_id)


def _can_be_voided(paid: Transaction, now: datetime) -> bool:
    """Return whether a payment could be voided: by card, on the day on which it was made, which then settles."""
    is_today = paid.created_at is None or times.day(paid.created_at) == times.day(now)
    return paid.source == transactions.CARD and is_today and not paid.refunded.amount_minor


def _has_succeeded(child: Transaction) -> bool:
    return child.is_success and not (child.is_pending or child.is_error)


def _state(child: Transaction, amount: Money, reference: str) -> RefundState:
    """Translate the transaction of a refund or void."""
    status = RefundStatus.FAILED
    if child.is_pending:
        status = RefundStatus.PENDING
    elif _has_succeeded(child):
        status = RefundStatus.SUCCEEDED
    code = (child.failure_code or "declined") if status is RefundStatus.FAILED else ""
    return RefundState(
        id=child.id,
        status=status,
        amount=amount,
        payment_id=child.order_id,
        reference=reference,
        failure_code=code,
        failure_message=failure_messages.refund(code) if code else "",
    )
