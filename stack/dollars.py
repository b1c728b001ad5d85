"""The story of a task in USD: the card is entered on our page, and the freelancer has an account at Stripe."""

from decimal import Decimal
from urllib.parse import urlsplit

from stack import books, console
from stack.caller import Caller, Form
from stack.errors import StackError
from stack.local import Local
from stack.story import Steps, Story

CARD = {
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": "4242424242424242",
    "payment_method_data[card][exp_month]": "12",
    "payment_method_data[card][exp_year]": "2034",
    "payment_method_data[card][cvc]": "123",
}


class DollarStory(Story):
    """Two people in the United States."""

    currency, country = "USD", "US"
    price, share, fee = Decimal("100.00"), Decimal("85.00"), Decimal("15.00")
    task = {"title": "Draw a logo", "description": "A logo for a bakery, as SVG."}

    def _steps(self) -> Steps:
        return [
            *self._hiring(),
            ("The freelancer opens a payout account", self._open_account),
            ("The freelancer fills in the provider's hosted form", self._onboard),
            ("The client starts the payment", self._start_payment),
            ("The client pays with card 4242 4242 4242 4242 on the provider's side", self._pay),
            ("The webhook confirms: the money is in escrow", self._await_funds),
            *self._working(),
            ("The funds settle at the provider and become available", self._await_available),
            ("The freelancer withdraws everything", self._withdraw),
            ("The webhook confirms: the payout has arrived", self._await_payout),
            ("The ledger is compared with the provider's own record", self._compare),
        ]

    def _figures(self, local: Local, rows: list[books.Row]) -> list[books.Comparison]:
        return books.of_stripe(local, rows)

    def _banked(self) -> int:
        deposits = books.sandbox_money(self.local.sandbox)["bank_deposits"]
        return int(deposits.get(self.seen["account"], {}).get("usd", 0))

    def _open_account(self) -> None:
        account = self.freelancer.caller.post("/payments/connect/create/")
        self.seen["account"] = account["provider_account_id"]
        link = self.freelancer.caller.post("/payments/connect/onboarding/")
        self.seen["onboarding"] = link["url"]

    def _onboard(self) -> None:
        """Read the page, send its form with the example values, and wait until the account is known."""
        address = urlsplit(self.seen["onboarding"])
        provider = Caller(f"{address.scheme}://{address.netloc}", check=self.check)
        path = f"{address.path}?{address.query}" if address.query else address.path
        form = Form(provider.page(path))
        status, leads_to = provider.form(path, form.fields)
        if status not in (302, 303):
            raise StackError(f"the form was not accepted: {leads_to[:500]}")
        console.say(f"     the provider leads back to {leads_to}")
        self.freelancer.caller.until(
            "/payments/connect/status/",
            lambda account: account.get("payouts_enabled") is True,
            wanted="payouts enabled",
        )

    def _start_payment(self) -> None:
        intent = self._create_intent()
        self.seen.update({name: intent[name] for name in ("client_secret", "publishable_key", "payment_intent_id")})

    def _pay(self) -> None:
        """Confirm the intent as the page's script does: with the publishable key, and the card never touches us."""
        page = Caller(self.local.sandbox, token=self.seen["publishable_key"], check=self.check)
        fields = {**CARD, "client_secret": self.seen["client_secret"]}
        status, text = page.form(f"/v1/payment_intents/{self.seen['payment_intent_id']}/confirm", fields)
        if status != 200 or '"succeeded"' not in text:
            raise StackError(f"the payment did not succeed: {status} {text[:500]}")
