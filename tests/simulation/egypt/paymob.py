"""The offline Paymob inside this process, on virtual time, and what payers, banks and Paymob's staff do there."""

from typing import Any
from urllib.parse import urlsplit

from sandboxes.kit.api import Request
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.faults import Fault
from sandboxes.kit.outbox import Outbox
from sandboxes.kit.pipeline import Pipeline, Reply, Work
from sandboxes.paymob.amounts import CURRENCY
from sandboxes.paymob.api import PaymobApi
from sandboxes.paymob.control import collecting, money
from sandboxes.paymob.objects import intention as intentions
from sandboxes.paymob.objects import payment, payment_key, reversal, topup, transaction
from sandboxes.paymob.objects import payout as payouts
from sandboxes.paymob.objects import settlement as settlements
from sandboxes.paymob.registry import BEHAVIOUR
from sandboxes.paymob.sandbox import Sandbox
from sandboxes.paymob.settings import Settings
from sandboxes.paymob.webhooks import PaymobWebhooks
from tests.simulation.clock import Clock

HOST = "paymob.example"
HMAC = "hmac_of_the_simulation"
HINTS = "http://ours.example/payments/webhooks/paymob/payouts/"
# While a token is obtained, its lock is held in our process; nobody else can go on then.
TOKENS = ("/api/auth/tokens", "/api/secure/o/token/")
OPEN_PAYOUTS = (payouts.PENDING, payouts.UNKNOWN)


class Paymob:
    """One story's Paymob."""

    def __init__(self, clock: Clock, *, payout_after: float, return_after: float) -> None:
        settings = Settings(
            seed=1,
            public_url=f"http://{HOST}",
            hmac_secret=HMAC,
            payout_callback_url=HINTS,
            payout_after=payout_after,
            return_after=return_after,
        )
        self.sandbox = Sandbox(settings, BEHAVIOUR, lambda: clock.true)
        self.outbox = Outbox(self.sandbox, PaymobWebhooks(self.sandbox))
        self._pipeline = Pipeline(PaymobApi(self.sandbox))
        self._fees_settled = 0

    def close(self) -> None:
        """Delete all state."""
        self.sandbox.store.close()

    # -- the API

    def begin(self, method: str, url: str, headers: Any, body: bytes, fault: str = "") -> Work | Reply:
        """Take a request in; `fault` is what goes wrong with it. Raises Dropped."""
        parts = urlsplit(url)
        content_type = headers.get("Content-Type", "").partition(";")[0]
        request = Request(method, parts.path, parts.query, headers, body, content_type, remote="192.0.2.1")
        return self._pipeline.begin(request, fault=Fault(fault, 0) if fault else None)

    def finish(self, work: Work) -> Reply:
        """Run the endpoint of an accepted request. Raises Dropped."""
        return self._pipeline.finish(work)

    def next_due(self) -> float | None:
        """Return the true moment at which Paymob has something to do."""
        return self.sandbox.clock.next_due()

    def run_due(self) -> None:
        """Run the due timers."""
        due = self.next_due()
        if due is not None and due <= self.sandbox.clock.exact():
            self.sandbox.run_due()

    # -- payers on Paymob's page

    def pay(self, secret: str, method: str, given: Doc) -> int:
        """Begin to pay an intention; return the number of the transaction, 0 for a page that takes no payment."""
        try:
            with self.sandbox.store.transaction():
                keys = intentions.keys_of(self.sandbox, intentions.by_secret(self.sandbox, secret))
                kind = collecting.METHODS[method]
                key = next(key for key in keys if payment_key.integration_of(key).kind == kind)
                return int(collecting.attempt(self.sandbox, key, method, given)["number"])
        except ApiError:
            return 0

    def cards_offered(self, secret: str) -> list[str]:
        """Return the tokens of the saved cards that a page offers."""
        try:
            with self.sandbox.store.transaction():
                return list(intentions.by_secret(self.sandbox, secret)["card_tokens"])
        except ApiError:
            return []

    def answer(self, number: int, *, passed: bool) -> str:
        """Respond to what the bank or the wallet asks, or pay the kiosk's bill; return the transaction's status."""
        with self.sandbox.store.transaction():
            doc = transaction.by_number(self.sandbox, number)
            payment.answer(self.sandbox, doc, passed=passed)
            return str(transaction.by_number(self.sandbox, number)["status"])

    # -- Paymob's dashboard

    def refund(self, number: int, amount: int) -> str:
        """Refund a payment without us; return the status of the refund or an empty text if Paymob refuses."""
        return self._reversed(lambda paid: reversal.refund(self.sandbox, paid, amount), number)

    def void(self, number: int) -> str:
        """Void a payment without us."""
        return self._reversed(lambda paid: reversal.void(self.sandbox, paid), number)

    def _reversed(self, work: Any, number: int) -> str:
        try:
            with self.sandbox.store.transaction():
                return str(work(transaction.by_number(self.sandbox, number))["status"])
        except ApiError:
            return ""

    def top_up(self, amount: int) -> None:
        """Top the budget up from the platform's bank."""
        with self.sandbox.store.transaction():
            topup.decide(self.sandbox, topup.request(self.sandbox, amount), approved=True)

    def settle(self) -> tuple[str, int, int] | None:
        """Settle what was collected; return the reference, the amount with Paymob's fees, and the fees."""
        with self.sandbox.store.transaction():
            made = settlements.settle(self.sandbox)
        if made is None:
            return None
        charged = sum(self.sandbox.journal.balance(book, CURRENCY) for book in (transaction.FEES, transaction.VAT))
        fee, self._fees_settled = charged - self._fees_settled, charged
        return str(made["id"]), made["amount"] + fee, fee

    # -- banks

    def decide(self, payout: str, outcome: str) -> bool:
        """End a payout, or return one that was paid; return whether that was possible."""
        try:
            with self.sandbox.store.transaction():
                payouts.decide(self.sandbox, self.sandbox.find("payout", payout), outcome, None)
        except ApiError:
            return False
        return True

    def let_through(self, number: str) -> None:
        """Have all further payouts to a number succeed."""
        rule = {"outcome": "succeeds", "code": None, "issuer": None, "destination": number, "count": 10**6}
        with self.sandbox.store.transaction():
            self.sandbox.keep({"id": self.sandbox.ids.new("rule_"), "object": "payout_rule", **rule})

    # -- the record

    def some(self, kind: str, *statuses: str) -> list[Doc]:
        """Return the objects of a kind that are in one of these states, oldest first."""
        with self.sandbox.store.transaction():
            return [doc for doc in self.sandbox.store.find(kind) if not statuses or doc.get("status") in statuses]

    def payments(self) -> list[Doc]:
        """Return the payments that were collected."""
        return [doc for doc in self.some("transaction", transaction.APPROVED) if doc["kind"] == transaction.PAYMENT]

    def money(self) -> Doc:
        """Return Paymob's own record of all money."""
        return money.record(self.sandbox)
