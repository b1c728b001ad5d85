"""What happens at the provider without us: banks that contest payments, and people who use its dashboard."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.pipeline import Reply
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import dispute as disputes
from sandboxes.stripe.objects import early_fraud_warning, plain_line
from sandboxes.stripe.objects import payout as payouts
from sandboxes.stripe.objects import topup as topups
from tests.simulation.provider import Provider


class Dashboard:
    """The provider's dashboard, and the banks' decisions. Every method returns whether it was possible."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._sandbox = provider.sandbox

    # -- the dashboard

    def refund(self, charge: Doc, amount: int) -> bool:
        """Refund a part of a payment."""
        return self._ask("refunds", charge=charge["id"], amount=amount)

    def reverse(self, transfer: Doc, amount: int) -> bool:
        """Bring a part of a transfer back."""
        return self._ask(f"transfers/{transfer['id']}/reversals", amount=amount)

    def pay_out(self, account: str, currency: str, amount: int) -> bool:
        """Pay out inside a connected account."""
        return self._ask("payouts", account=account, amount=amount, currency=currency)

    def pay_out_own(self, currency: str, amount: int) -> bool:
        """Pay out money of the platform."""
        return self._ask("payouts", amount=amount, currency=currency)

    def top_up(self, currency: str, amount: int) -> bool:
        """Top the platform's balance up."""
        return self._ask("topups", amount=amount, currency=currency, description="Ours")

    def stop_top_up(self, currency: str, amount: int) -> bool:
        """Let a bank refuse a top-up of the platform, or take one back that had arrived; or cancel it."""
        found = self._newest("topup", currency, "pending", "succeeded")
        if found is None:
            return False
        if found["status"] == "pending" and amount % 2:
            return self._ask(f"topups/{found['id']}/cancel")
        with self._sandbox.store.transaction():
            topups.fail(self._sandbox, found, "insufficient_funds")
        return True

    def stop_own_payout(self, currency: str, amount: int) -> bool:
        """Cancel a payout of the platform, or let a bank send it back, even one that was paid."""
        found = self._newest("payout", currency, "pending", "in_transit", "paid", account=self._sandbox.platform)
        if found is None:
            return False
        if found["status"] == "pending" and amount % 2:
            return self._ask(f"payouts/{found['id']}/cancel")
        with self._sandbox.store.transaction():
            payouts.fail(self._sandbox, found, "account_closed")
        return True

    def _newest(self, kind: str, currency: str, *statuses: str, account: str = "") -> Doc | None:
        found = [doc for doc in self._provider.some(kind, *statuses) if doc["currency"] == currency]
        owned = [doc for doc in found if not account or self._provider.owner_of(doc["id"]) == account]
        return owned[-1] if owned else None

    def settle_in_dollars(self, currencies: Sequence[str], rate: str) -> None:
        """Settle what comes in these currencies in US dollars at a rate from now on; without a rate keep it."""
        with self._sandbox.store.transaction():
            platform = self._sandbox.find("account", self._sandbox.platform)
            rules = {currency: {"currency": "usd", "rate": rate} for currency in currencies}
            platform["_settlement"] = rules if rate else {}
            self._sandbox.store.save(platform)

    def delete_customer(self, ident: str) -> bool:
        """Delete a customer with its cards."""
        return self._ask(f"customers/{ident}", method="DELETE")

    def detach(self, method: str) -> bool:
        """Remove a card from its customer."""
        return self._ask(f"payment_methods/{method}/detach")

    # -- payees' accounts

    def reject(self, account: str, reason: str) -> bool:
        """Reject an account for good."""
        return self._ask(f"accounts/{account}/reject", reason=reason)

    def close(self, account: str) -> bool:
        """Delete an account, which has to be empty."""
        return self._ask(f"accounts/{account}", method="DELETE")

    def deauthorize(self, account: str) -> None:
        """Let the owner of an account end the platform's access to it."""
        with self._sandbox.store.transaction():
            accounts.deauthorize(self._sandbox, self._sandbox.find("account", account))

    def change(
        self, account: str, *, lost: Sequence[str] | None = None, asked: Sequence[str] = (), within: float = 0
    ) -> None:
        """Take capabilities from an account, or make requirements due again, at once or within some seconds."""
        with self._sandbox.store.transaction():
            doc = self._sandbox.find("account", account)
            before = self._sandbox.render(doc)
            if lost is not None:
                doc["_lost"] = list(lost)
            if asked:
                accounts.ask_again(self._sandbox, doc, list(asked), within)
            accounts.reassess(self._sandbox, doc, before)

    def restore(self, account: str) -> None:
        """Give an account back what it has lost, and ask for nothing more."""
        with self._sandbox.store.transaction():
            doc = self._sandbox.find("account", account)
            before = self._sandbox.render(doc)
            doc["_lost"] = []
            accounts.ask_again(self._sandbox, doc, [], 0)
            accounts.reassess(self._sandbox, doc, before)

    def write_line(self, kind: str, currency: str, amount: int) -> None:
        """Write a line on the platform's statement that no object caused."""
        with self._sandbox.store.transaction():
            plain_line.write(self._sandbox, self._sandbox.platform, kind, amount, currency, "A line")

    def _ask(self, path: str, *, account: str = "", method: str = "POST", **form: Any) -> bool:
        headers = {"Authorization": "Bearer sk_test_simulation"} | ({"Stripe-Account": account} if account else {})
        work = self._provider.begin(method, f"/v1/{path}", headers, urlencode(form).encode())
        reply = work if isinstance(work, Reply) else self._provider.finish(work)
        assert reply.status < 500, reply.body
        return reply.status == 200

    def available(self, account: str, currency: str) -> int:
        """Return the available balance of an account in minor units."""
        book = f"{account}/available"
        with self._sandbox.store.transaction():
            return int(self._sandbox.journal.balances(book).get(book, {}).get(currency, 0))

    # -- the banks

    def warn(self, charge: str) -> bool:
        """Warn of fraud with a payment."""
        try:
            with self._sandbox.store.transaction():
                early_fraud_warning.create(self._sandbox, self._sandbox.find("charge", charge))
        except ApiError:
            return False
        return True

    def contest(self, charge: str, *, amount: int | None, inquiry: bool) -> str:
        """Contest a payment or a part of it; return the chargeback's id, or nothing if there is nothing to contest."""
        try:
            with self._sandbox.store.transaction():
                found = self._sandbox.find("charge", charge)
                opened = disputes.open_dispute(
                    self._sandbox, found, reason="fraudulent", inquiry=inquiry, amount=amount
                )
                return str(opened["id"])
        except ApiError:
            return ""

    def escalate(self, ident: str) -> bool:
        """Turn an inquiry into a chargeback."""
        return self._decide(ident, lambda found: disputes.escalate(self._sandbox, found))

    def conclude(self, ident: str, outcome: str, *, return_fee: bool) -> bool:
        """Close a chargeback as won or lost."""
        return self._decide(
            ident, lambda found: disputes.conclude(self._sandbox, found, outcome, return_fee=return_fee)
        )

    def overturn(self, ident: str, *, return_fee: bool) -> bool:
        """Turn a lost chargeback into a won one."""
        return self._decide(ident, lambda found: disputes.overturn(self._sandbox, found, return_fee=return_fee))

    def _decide(self, ident: str, decision: Any) -> bool:
        try:
            with self._sandbox.store.transaction():
                decision(self._sandbox.find("dispute", ident))
        except ApiError:
            return False
        return True
