"""The story of one task, from hiring to the payout, played through the public HTTP API only."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlsplit

from stack import books, console
from stack.caller import Answer, Caller, Form
from stack.errors import StackError
from stack.local import Local

PRICE = Decimal("100.00")
FREELANCER_SHARE = Decimal("85.00")
PLATFORM_FEE = Decimal("15.00")
CARD = {
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": "4242424242424242",
    "payment_method_data[card][exp_month]": "12",
    "payment_method_data[card][exp_year]": "2034",
    "payment_method_data[card][cvc]": "123",
}


class StoryError(StackError):
    """A step of the story failed; the message names it."""


@dataclass
class Person:
    """A person of the story, with the login that is printed at the end."""

    username: str
    password: str
    caller: Caller
    role: str


@dataclass
class Story:
    """Play the steps in order and keep what later steps need in `seen`.

    `check` raises if a program of the stack has ended, so that no step waits for a timeout.
    """

    local: Local
    check: Callable[[], None]
    mark: str = field(default_factory=lambda: secrets.token_hex(3))
    seen: dict[str, str] = field(default_factory=dict)
    fees_before: int = 0
    gaps_before: dict[str, int] = field(default_factory=dict)
    verdict: str = ""
    client: Person = field(init=False)
    freelancer: Person = field(init=False)

    def __post_init__(self) -> None:
        self.client = self._person("client")
        self.freelancer = self._person("freelancer")

    def play(self) -> None:
        """Play every step. Raises StoryError naming the step that failed."""
        rows, self.gaps_before = books.before_story(self.local)
        self.fees_before = books.balance(rows, "platform:fees")
        for what, gap in self.gaps_before.items():
            console.say(f"Before this story ledger and provider are {gap} apart (minor units): {what}")
        for number, (text, step) in enumerate(self._steps(), start=1):
            console.title(f"\n{number:>2}. {text}")
            try:
                step()
            except (StackError, KeyError, ValueError, OSError) as error:
                reason = f"the answer lacks {error}" if isinstance(error, KeyError) else error
                raise StoryError(f"step {number}, {text!r}, failed: {reason}") from error

    def _steps(self) -> list[tuple[str, Callable[[], None]]]:
        return [
            ("The client registers", lambda: self._register(self.client)),
            ("The freelancer registers", lambda: self._register(self.freelancer)),
            ("The client posts a task for 100.00 USD", self._post_task),
            ("The freelancer applies", self._apply),
            ("The client accepts the application", self._accept),
            ("The freelancer opens a payout account", self._open_account),
            ("The freelancer fills in the provider's hosted form", self._onboard),
            ("The client starts the payment", self._create_intent),
            ("The client pays with card 4242 4242 4242 4242 on the provider's side", self._pay),
            ("The webhook confirms: the money is in escrow", self._await_funds),
            ("The freelancer delivers", lambda: self._work(self.freelancer, "deliver", "delivered")),
            ("The client confirms completion", lambda: self._work(self.client, "complete", "completed")),
            ("The client releases the money: 85% to the freelancer, 15% to the platform", self._release),
            ("The funds settle at the provider and become available", self._await_available),
            ("The freelancer withdraws everything", self._withdraw),
            ("The webhook confirms: the payout has arrived", self._await_payout),
            ("The ledger is compared with the provider's own record", self._compare),
        ]

    def _person(self, role: str) -> Person:
        caller = Caller(self.local.web, check=self.check)
        return Person(f"{role}-{self.mark}", secrets.token_urlsafe(12), caller, role)

    def _register(self, person: Person) -> None:
        roles = {"is_client": person.role == "client", "is_freelancer": person.role == "freelancer"}
        names = {"username": person.username, "email": f"{person.username}@example.com"}
        # Registering signs in. Signing in could be throttled, since all visitors have the same IP address here.
        account = person.caller.post("/api/auth/register/", {**names, "password": person.password, **roles})
        person.caller.token = account["access"]

    def _post_task(self) -> None:
        task = {"title": "Draw a logo", "description": "A logo for a bakery, as SVG.", "budget": str(PRICE)}
        self.seen["task"] = self.client.caller.post("/api/tasks/create/", {**task, "currency": "USD"})["id"]

    def _apply(self) -> None:
        letter = {"cover_letter": "I draw bread well.", "proposed_amount": str(PRICE)}
        self.seen["application"] = self.freelancer.caller.post(f"/api/tasks/{self.seen['task']}/apply/", letter)["id"]

    def _accept(self) -> None:
        path = f"/api/tasks/applications/{self.seen['application']}/accept/"
        _must("the application", self.client.caller.post(path), status="accepted")

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

    def _create_intent(self) -> None:
        body = {"application_id": self.seen["application"]}
        intent = self.client.caller.post("/payments/intents/create/", body, key=f"story-{self.mark}-intent")
        _must("the intent", intent, amount=PRICE, platform_fee=PLATFORM_FEE, freelancer_amount=FREELANCER_SHARE)
        again = self.client.caller.post("/payments/intents/create/", body)
        _must("the intent asked for again", again, payment_intent_id=intent["payment_intent_id"], existing=True)
        self.seen.update({name: intent[name] for name in ("client_secret", "publishable_key", "payment_intent_id")})
        self.seen["escrow"] = intent["escrow_id"]

    def _pay(self) -> None:
        """Confirm the intent as the page's script does: with the publishable key, and the card never touches us."""
        page = Caller(self.local.sandbox, token=self.seen["publishable_key"], check=self.check)
        fields = {**CARD, "client_secret": self.seen["client_secret"]}
        status, text = page.form(f"/v1/payment_intents/{self.seen['payment_intent_id']}/confirm", fields)
        if status != 200 or '"succeeded"' not in text:
            raise StackError(f"the payment did not succeed: {status} {text[:500]}")

    def _await_funds(self) -> None:
        escrow = self.client.caller.until(
            f"/payments/escrow/{self.seen['escrow']}/", lambda answer: answer["status"] == "funded", wanted="funded"
        )
        _must("the escrow", escrow, total_amount=PRICE, platform_fee_amount=PLATFORM_FEE)
        self._wallets()

    def _work(self, person: Person, action: str, status: str) -> None:
        _must("the task", person.caller.post(f"/api/tasks/{self.seen['task']}/{action}/"), status=status)

    def _release(self) -> None:
        path = f"/payments/escrow/{self.seen['escrow']}/release/"
        escrow = self.client.caller.post(path, key=f"story-{self.mark}-release")["escrow"]
        _must("the escrow", escrow, status="released", freelancer_amount=FREELANCER_SHARE)
        self._wallets()

    def _await_available(self) -> None:
        self.freelancer.caller.until(
            "/payments/wallet/",
            lambda wallet: Decimal(wallet["available_balance"]) == FREELANCER_SHARE,
            wanted=f"{FREELANCER_SHARE} available",
        )
        self._wallets()

    def _withdraw(self) -> None:
        body = {"amount": str(FREELANCER_SHARE), "currency": "USD"}
        answer = self.freelancer.caller.post("/payments/withdrawals/create/", body, key=f"story-{self.mark}-withdraw")
        self.seen["withdrawal"] = answer["withdrawal"]["withdrawal_id"]
        _must("the withdrawal", answer["withdrawal"], amount=FREELANCER_SHARE)

    def _await_payout(self) -> None:
        self.freelancer.caller.until(
            "/payments/withdrawals/",
            lambda page: [row["status"] for row in page["results"]] == ["completed"],
            wanted="a completed withdrawal",
        )
        self._wallets()

    def _compare(self) -> None:
        """Print the trial balance, and compare it with the provider's record: sums, and this story's figures."""
        rows, found = books.await_equality(self.local, self.gaps_before)
        self.verdict = "books as far apart as before" if any(one.gap for one in found) else "books equal"
        console.say("     trial balance (minor units)")
        for row in rows:
            if row.balance or ":" not in row.account.removeprefix("escrow:"):
                console.say(f"       {row.account:<40} {row.currency} {row.balance:>12}")
        for one in found:
            console.say(f"     {one.what}: {one.ledger} in the ledger, {one.sandbox} at the provider")
        banked = books.sandbox_money(self.local)["bank_deposits"].get(self.seen["account"], {}).get("usd", 0)
        earned = books.balance(rows, "platform:fees") - self.fees_before
        _equal("the freelancer's bank", Decimal(banked).scaleb(-2), FREELANCER_SHARE)
        _equal("the platform's fees of this task", Decimal(earned).scaleb(-2), PLATFORM_FEE)

    def _wallets(self) -> None:
        for person in (self.client, self.freelancer):
            wallet = person.caller.get("/payments/wallet/")
            parts = ("escrowed", "pending", "available", "withdrawing")
            shown = "  ".join(f"{part} {wallet[f'{part}_balance']}" for part in parts)
            totals = f"spent {wallet['lifetime_spent']}  earned {wallet['lifetime_earnings']}"
            console.say(f"       {person.role:<10} {shown}  {totals} {wallet['currency']}")


def _must(what: str, answer: Answer, **wanted: object) -> None:
    """Compare fields of a response with the expected values; amounts are compared as numbers."""
    for name, value in wanted.items():
        shown = Decimal(answer[name]) if isinstance(value, Decimal) else answer[name]
        if shown != value:
            raise StackError(f"{what} shows {name} {answer[name]!r} instead of {value!s}")


def _equal(what: str, found: Decimal, wanted: Decimal) -> None:
    console.say(f"     {what}: {found} USD")
    if found != wanted:
        raise StackError(f"{what} should have {wanted} USD and has {found}")
