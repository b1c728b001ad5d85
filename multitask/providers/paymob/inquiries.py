"""Reading transactions: by their id, the last one of an order, or the one that paid it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import structlog

from multitask.payments.provider import Rejected, Unknown
from multitask.providers.paymob import errors, transactions
from multitask.providers.paymob.client import Answer, Caller, Raw
from multitask.providers.paymob.configuration import Configuration
from multitask.providers.paymob.tokens import Token, Tokens
from multitask.providers.paymob.transactions import Transaction

log = structlog.get_logger(__name__)

# A token of access is valid for an hour.
_LIFETIME: Final = timedelta(minutes=60)
# A refund of a refund does not exist, but a loop of parents must end.
_MOST_PARENTS: Final = 3
# How many tries to pay an order are read to find the one that did.
_MOST_TRIES: Final = 20


class Inquiries(Caller):
    """Calls that read, with a token that the API key obtains."""

    def __init__(self, configuration: Configuration) -> None:
        """Prepare to obtain a token with the first call."""
        super().__init__(configuration)
        self._reading = Tokens(self._obtain_reading_token)

    def _transaction(self, transaction_id: str) -> Transaction:
        """Read a transaction. Raises Rejected with `resource_missing` for one that does not exist."""
        if not transactions.identifier(transaction_id):
            raise Rejected(errors.MISSING, "The payment provider does not know this object.")
        answer = self._read("GET", f"/api/acceptance/transactions/{transaction_id}")
        found = transactions.read(answer.body)
        if found.id != transaction_id:
            raise errors.unexpected("transaction", found.id)
        return found

    def _last_of_order(self, *, order_id: str = "", merchant_order_id: str = "") -> Transaction | None:
        """Return the last transaction of an order, None if nobody has tried to pay it.

        The order is named by its id or by our reference of the attempt.
        """
        named: Raw = {"order_id": int(order_id)} if order_id else {"merchant_order_id": merchant_order_id}
        try:
            answer = self._read("POST", "/api/ecommerce/orders/transaction_inquiry", body=named)
        except Rejected as refusal:
            if refusal.code != errors.MISSING:
                raise
            return None
        found = transactions.read(answer.body)
        if order_id and found.order_id != order_id:
            raise errors.unexpected("order", found.order_id)
        return found

    def _that_paid(self, order_id: str) -> Transaction | None:
        """Return the transaction that paid an order, by the list of all its transactions; None if that shows none.

        Paymob's examples have this call, but the other documentation does not: without an answer that can be read the
        transaction counts as not shown.
        """
        try:
            answer = self._read_with(self._reading.access(), "GET", f"/api/ecommerce/orders/{order_id}", None)
        except Unknown:
            return None
        if not answer.is_success:
            log.warning("paymob does not list the transactions of an order", http_status=answer.status)
            return None
        named = (found for found in self._listed(answer) if found.order_id == order_id and found.is_collected)
        return next(named, None)

    def _listed(self, answer: Answer) -> Iterator[Transaction]:
        """Yield the transactions of an order's answer that can be read."""
        listed = answer.body.get("transactions")
        for raw in listed[:_MOST_TRIES] if isinstance(listed, list) else ():
            transaction_id = transactions.identifier(raw)
            if transaction_id:
                try:
                    yield self._transaction(transaction_id)
                except (Rejected, Unknown):
                    continue

    def _payment_behind(self, found: Transaction) -> Transaction:
        """Return the payment that a refund or void belongs to; any other transaction is returned as it is."""
        for _ in range(_MOST_PARENTS):
            if not (found.is_child and found.parent_id):
                return found
            parent = self._transaction(found.parent_id)
            if parent.order_id != found.order_id:
                raise errors.unexpected("parent", parent.id)
            found = parent
        raise errors.unexpected("parent", found.id)

    def _read(self, method: str, path: str, *, body: Raw | None = None) -> Answer:
        """Make a call that reads, once more with a new token if this one is refused."""
        token = self._reading.access()
        answer = self._read_with(token, method, path, body)
        if answer.status == 401:
            answer = self._read_with(self._reading.access(refused=token), method, path, body)
        if not answer.is_success:
            raise errors.refusal(answer)
        return answer

    def _read_with(self, token: str, method: str, path: str, body: Raw | None) -> Answer:
        url = f"{self._configuration.api_base}{path}"
        sent = None if body is None else {**body, "auth_token": token}
        return self._call(method, url, headers={"Authorization": f"Bearer {token}"}, body=sent)

    def _obtain_reading_token(self, _: str) -> Token:
        url = f"{self._configuration.api_base}/api/auth/tokens"
        answer = self._call("POST", url, headers={}, body={"api_key": self._configuration.api_key})
        token = answer.body.get("token")
        if answer.is_success and isinstance(token, str) and token:
            return Token(access=token, lifetime=_LIFETIME)
        # The key is wrong, and no call works without it.
        refused = errors.refusal(answer)
        raise errors.misconfigured(answer.status) if isinstance(refused, Rejected) else refused
