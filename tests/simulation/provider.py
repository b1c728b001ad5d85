"""The sandbox inside this process, on virtual time instead of the machine's clock."""

import json
from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode, urlsplit

from sandboxes.kit.api import Request
from sandboxes.kit.control import state
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.faults import Fault
from sandboxes.kit.outbox import Outbox
from sandboxes.kit.pipeline import Pipeline, Reply, Work
from sandboxes.stripe.api import StripeApi
from sandboxes.stripe.control import money
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import balance_transaction, dispute, payment_intent
from sandboxes.stripe.objects import payout as payouts
from sandboxes.stripe.objects import refund as refunds
from sandboxes.stripe.pages.onboarding import Onboarding
from sandboxes.stripe.registry import BEHAVIOUR
from sandboxes.stripe.sandbox import Sandbox
from sandboxes.stripe.settings import Settings, Webhook
from sandboxes.stripe.webhooks import StripeWebhooks
from tests.simulation.clock import Clock

WEBHOOKS = "http://ours.example/payments/webhooks/stripe/"
CAPITAL = dict.fromkeys(("usd", "eur", "gbp"), 10**9)
FORM = {
    "individual.first_name": "Jenny", "individual.last_name": "Rosen", "individual.email": "jenny@example.com",
    "individual.phone": "+15555550100", "individual.dob.day": "1", "individual.dob.month": "1",
    "individual.dob.year": "1990", "individual.address.line1": "1 Test Street",
    "individual.address.city": "Testville", "individual.address.state": "CA",
    "individual.address.postal_code": "94107", "individual.ssn_last_4": "0000", "routing_number": "110000000",
    "account_holder_name": "Jenny Rosen",
}  # fmt: skip


class Provider:
    """One story's provider, and what people and banks do there."""

    def __init__(self, clock: Clock, *, secrets: tuple[str, str], verify_after: float = 0) -> None:
        platform, connect = secrets
        settings = Settings(
            seed=1,
            public_url="http://provider.example",
            verify_after=verify_after,
            # Two addresses, since an endpoint is known by its address and kind.
            webhooks=(Webhook(WEBHOOKS, platform), Webhook(WEBHOOKS, connect, connect=True)),
        )
        self.sandbox = Sandbox(settings, BEHAVIOUR, lambda: clock.true)
        with self.sandbox.store.transaction():
            self._capital()
        self.outbox = Outbox(self.sandbox, StripeWebhooks(self.sandbox))
        self._pipeline = Pipeline(StripeApi(self.sandbox))
        self._pages = Onboarding(self.sandbox)
        self._deleted: dict[str, Doc] = {}
        self._forgotten: set[str] = set()

    def _capital(self) -> None:
        """Give the platform money of its own, or a refund of settled money would wait for another payment."""
        for currency in CAPITAL:
            balance_transaction.record(
                self.sandbox, self.sandbox.platform, "topup", source=None, amount=CAPITAL[currency],
                currency=currency, counter=(("topups/capital", -CAPITAL[currency]),),
            )  # fmt: skip

    def close(self) -> None:
        """Delete all state."""
        self.sandbox.store.close()

    # -- the API

    def begin(self, method: str, url: str, headers: Any, body: bytes, fault: str = "") -> Work | Reply:
        """Take a request in; `fault` is what goes wrong with it. Raises Dropped."""
        parts = urlsplit(url)
        if method == "DELETE":
            self._remember(parts.path)
        request = Request(method, parts.path, parts.query, headers, body, remote="192.0.2.1")
        return self._pipeline.begin(request, fault=Fault(fault, 0) if fault else None)

    def _remember(self, path: str) -> None:
        """Keep an account or customer that is about to be deleted: it was made all the same."""
        for row in [*state.every(self.sandbox, "account"), *state.every(self.sandbox, "customer")]:
            if path.endswith(f"/{row['object']['id']}"):
                self._deleted[row["object"]["id"]] = row

    def forget(self, account: str) -> None:
        """Do not count an account as made once it is deleted."""
        self._forgotten.add(account)

    def finish(self, work: Work) -> Reply:
        """Run the endpoint of an accepted request. Raises Dropped."""
        return self._pipeline.finish(work)

    # -- people at the provider's pages

    def confirm(self, payment: str, secret: str, card: str) -> Doc:
        """Pay in the browser with the client secret alone; return the intent or the error."""
        body = f"client_secret={secret}&payment_method=pm_card_{card}&return_url=http://ours.example/".encode()
        headers = {"Authorization": "Bearer pk_test_simulation"}
        work = self.begin("POST", f"/v1/payment_intents/{payment}/confirm", headers, body)
        reply = work if isinstance(work, Reply) else self.finish(work)
        return {"status": reply.status}

    def authenticate(self, payment: str, *, passed: bool) -> None:
        """Complete 3-D Secure in the browser, if it is required."""
        try:
            with self.sandbox.store.transaction():
                intent = self.sandbox.find("payment_intent", payment)
                if intent["status"] == "requires_action":
                    payment_intent.authenticate(self.sandbox, intent, passed=passed)
        except ApiError as error:
            if not error.keep_effects:
                raise
        self.sandbox.run_due()

    def card(self, name: str) -> str:
        """Make a card in the browser; return its id."""
        headers = {"Authorization": "Bearer sk_test_simulation"}
        body = f"type=card&card[token]=tok_{name}".encode()
        work = self.begin("POST", "/v1/payment_methods", headers, body)
        reply = work if isinstance(work, Reply) else self.finish(work)
        return str(json.loads(reply.body)["id"])

    def fill_in(self, link: str, *, bank: str, is_left: bool = False) -> bool:
        """Fill in the hosted form behind a link, or leave it; return whether it was taken."""
        token = urlsplit(link).path.rsplit("/", 1)[-1]
        given = {**FORM, "account_number": bank} | ({"action": "leave"} if is_left else {})
        try:
            where, error = self._pages.take(token, given, "192.0.2.1")
        except ApiError:
            return False  # The account was replaced and closed meanwhile.
        return error is None and "return" in where

    def add_bank(self, account: str, currency: str) -> None:
        """Add a bank account in another currency on the provider's pages."""
        bank = {"object": "bank_account", "country": "US", "currency": currency.lower()}
        numbers = {"routing_number": "110000000", "account_number": "000123456789"}
        form = {f"external_account[{name}]": value for name, value in (bank | numbers).items()}
        headers = {"Authorization": "Bearer sk_test_simulation"}
        body = urlencode(form).encode()
        work = self.begin("POST", f"/v1/accounts/{account}/external_accounts", headers, body)
        reply = work if isinstance(work, Reply) else self.finish(work)
        assert reply.status == 200, reply.body

    # -- what the provider and the banks do by themselves

    def next_due(self) -> float | None:
        """Return the true moment at which the provider has something to do."""
        return self.sandbox.clock.next_due()

    def run_due(self) -> None:
        """Run the provider's due timers."""
        due = self.next_due()
        if due is not None and due <= self.sandbox.clock.exact():
            self.sandbox.run_due()

    def some(self, kind: str, *statuses: str) -> list[Doc]:
        """Return the objects of a kind that are in one of these states, oldest first."""
        with self.sandbox.store.transaction():
            return [doc for doc in self.sandbox.store.find(kind) if not statuses or doc.get("status") in statuses]

    def fail_payout(self, ident: str) -> None:
        """Fail a payout, even one that was paid."""
        with self.sandbox.store.transaction():
            payouts.fail(self.sandbox, self.sandbox.find("payout", ident), "account_closed")

    def fail_refund(self, ident: str) -> None:
        """Fail a refund, even one that succeeded."""
        with self.sandbox.store.transaction():
            refunds.fail(self.sandbox, self.sandbox.find("refund", ident), "lost_or_stolen_card")

    def inquire(self, charge: str) -> str:
        """Open an inquiry about a payment; no money moves, and it closes after nine days."""
        with self.sandbox.store.transaction():
            opened = dispute.open_dispute(
                self.sandbox, self.sandbox.find("charge", charge), reason="general", inquiry=True, amount=None
            )
            return str(opened["id"])

    def close_inquiry(self, ident: str) -> None:
        """Close an inquiry."""
        with self.sandbox.store.transaction():
            inquiry = self.sandbox.find("dispute", ident)
            if dispute.is_open(inquiry):
                dispute.conclude(self.sandbox, inquiry, "won")

    def restrict(self, account: str, reason: str | None) -> None:
        """Disable or enable an account, unless it has ended."""
        with self.sandbox.store.transaction():
            doc = self.sandbox.store.get(account, "account")
            if doc is None or str(doc["_disabled"] or "").startswith("rejected"):
                return
            before = self.sandbox.render(doc)
            doc["_disabled"] = reason
            accounts.reassess(self.sandbox, doc, before)

    def take(self, currency: str, amount: int) -> None:
        """Move money out of the platform's balance without our knowledge."""
        book = f"{self.sandbox.platform}/available"
        with self.sandbox.store.transaction():
            self.sandbox.journal.post("by_hand", "by_hand", currency, (book, -amount), ("by_hand", amount))

    # -- the record

    def money(self, *, booked: Collection[str] = ()) -> Doc:
        """Return the provider's own record of all money, without the capital where that is not in our books."""
        record = money.record(self.sandbox)
        available = record["accounts"][self.sandbox.platform]["available"]
        for currency, amount in CAPITAL.items():
            available[currency] -= 0 if currency in booked else amount
        return record

    def objects(self, kind: str) -> list[Doc]:
        """Return every object of a kind with its account, accounts and customers that were deleted too."""
        found = state.every(self.sandbox, kind)
        there = {row["object"]["id"] for row in found}
        return found + [
            row
            for ident, row in self._deleted.items()
            if ident not in there | self._forgotten and row["object"]["object"] == kind
        ]

    def owner_of(self, ident: str) -> str:
        """Return the account that an object belongs to."""
        with self.sandbox.store.transaction():
            return self.sandbox.store.account_of(ident)

    def movements(self, account: str) -> int:
        """Return how many movements of money an account has had."""
        with self.sandbox.store.transaction():
            return len(self.sandbox.store.find("balance_transaction", account=account))

    def is_reachable(self, account: str) -> bool:
        """Return whether the platform has access to an account."""
        with self.sandbox.store.transaction():
            return accounts.open_to_platform(self.sandbox, account) is not None

    def has_card(self, ident: str) -> bool:
        """Return whether a card is still attached to a customer."""
        with self.sandbox.store.transaction():
            return bool(self.sandbox.find("payment_method", ident)["customer"])
