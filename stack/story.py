"""What the stories have in common: people, the work and the comparison at the end, through public HTTP only."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from stack import books, console
from stack.caller import Answer, Caller
from stack.errors import StackError
from stack.local import Local

Steps = list[tuple[str, Callable[[], None]]]


class StoryError(StackError):
    """A step of a story failed; the message names it."""


@dataclass
class Person:
    """A person of a story, with the login that is printed at the end."""

    username: str
    password: str
    caller: Caller
    role: str


@dataclass
class Story(ABC):
    """Play the steps in order and keep what later steps need in `seen`.

    `check` raises if a program of the stack has ended, so that no step waits for a timeout.
    """

    currency: ClassVar[str]
    country: ClassVar[str]
    price: ClassVar[Decimal]
    share: ClassVar[Decimal]
    fee: ClassVar[Decimal]
    task: ClassVar[dict[str, str]]
    prefix: ClassVar[str] = ""

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
        rows, self.gaps_before = books.before_story(self.local, self._figures)
        self.fees_before = books.balance(rows, "platform:fees", self.currency)
        for what, gap in self.gaps_before.items():
            console.say(f"Before this story ledger and provider are {gap} apart (minor units): {what}")
        for number, (text, step) in enumerate(self._steps(), start=1):
            console.title(f"\n{number:>2}. {text}")
            try:
                step()
            except (StackError, KeyError, ValueError, OSError) as error:
                reason = f"the answer lacks {error}" if isinstance(error, KeyError) else error
                raise StoryError(f"step {number}, {text!r}, failed: {reason}") from error

    @abstractmethod
    def _steps(self) -> Steps:
        """Return what happens, with the line that announces each step."""

    @abstractmethod
    def _figures(self, local: Local, rows: list[books.Row]) -> list[books.Comparison]:
        """Return the figures of the provider's record and of the ledger."""

    @abstractmethod
    def _banked(self) -> int:
        """Return what the freelancer has received by the provider's own record, in minor units."""

    def _hiring(self) -> Steps:
        return [
            ("The client registers", lambda: self._register(self.client)),
            ("The freelancer registers", lambda: self._register(self.freelancer)),
            (f"The client posts a task for {self.price:,} {self.currency}", self._post_task),
            ("The freelancer applies", self._apply),
            ("The client accepts the application", self._accept),
        ]

    def _working(self) -> Steps:
        return [
            ("The freelancer delivers", lambda: self._work(self.freelancer, "deliver", "delivered")),
            ("The client confirms completion", lambda: self._work(self.client, "complete", "completed")),
            ("The client releases the money: 85% to the freelancer, 15% to the platform", self._release),
        ]

    def _person(self, role: str) -> Person:
        caller = Caller(self.local.web, check=self.check)
        return Person(f"{self.prefix}{role}-{self.mark}", secrets.token_urlsafe(12), caller, role)

    def _register(self, person: Person) -> None:
        roles = {"is_client": person.role == "client", "is_freelancer": person.role == "freelancer"}
        names = {"username": person.username, "email": f"{person.username}@example.com"}
        place = {"country": self.country, "default_currency": self.currency}
        # Registering signs in. Signing in could be throttled, since all visitors have the same IP address here.
        account = person.caller.post("/api/auth/register/", {**names, **place, "password": person.password, **roles})
        person.caller.token = account["access"]

    def _post_task(self) -> None:
        task = {**self.task, "budget": str(self.price), "currency": self.currency}
        self.seen["task"] = self.client.caller.post("/api/tasks/create/", task)["id"]

    def _apply(self) -> None:
        letter = {"cover_letter": "I can begin today.", "proposed_amount": str(self.price)}
        self.seen["application"] = self.freelancer.caller.post(f"/api/tasks/{self.seen['task']}/apply/", letter)["id"]

    def _accept(self) -> None:
        path = f"/api/tasks/applications/{self.seen['application']}/accept/"
        must("the application", self.client.caller.post(path), status="accepted")

    def _create_intent(self) -> Answer:
        """Ask to pay, twice: the second request returns the same payment."""
        body = {"application_id": self.seen["application"]}
        intent = self.client.caller.post("/payments/intents/create/", body, key=f"story-{self.mark}-intent")
        must("the intent", intent, amount=self.price, platform_fee=self.fee, freelancer_amount=self.share)
        again = self.client.caller.post("/payments/intents/create/", body)
        must("the intent asked for again", again, payment_intent_id=intent["payment_intent_id"], existing=True)
        self.seen["escrow"] = intent["escrow_id"]
        return intent

    def _await_funds(self) -> None:
        escrow = self.client.caller.until(
            f"/payments/escrow/{self.seen['escrow']}/", lambda answer: answer["status"] == "funded", wanted="funded"
        )
        must("the escrow", escrow, total_amount=self.price, platform_fee_amount=self.fee)
        self._wallets()

    def _work(self, person: Person, action: str, status: str) -> None:
        must("the task", person.caller.post(f"/api/tasks/{self.seen['task']}/{action}/"), status=status)

    def _release(self) -> None:
        path = f"/payments/escrow/{self.seen['escrow']}/release/"
        escrow = self.client.caller.post(path, key=f"story-{self.mark}-release")["escrow"]
        must("the escrow", escrow, status="released", freelancer_amount=self.share)
        self._wallets()

    def _await_available(self) -> None:
        self.freelancer.caller.until(
            "/payments/wallet/",
            lambda wallet: Decimal(wallet["available_balance"]) == self.share,
            wanted=f"{self.share} available",
        )
        self._wallets()

    def _withdraw(self) -> None:
        body = {"amount": str(self.share), "currency": self.currency}
        answer = self.freelancer.caller.post("/payments/withdrawals/create/", body, key=f"story-{self.mark}-withdraw")
        self.seen["withdrawal"] = answer["withdrawal"]["withdrawal_id"]
        must("the withdrawal", answer["withdrawal"], amount=self.share)

    def _await_payout(self) -> None:
        self.freelancer.caller.until(
            "/payments/withdrawals/",
            lambda page: [row["status"] for row in page["results"]] == ["completed"],
            wanted="a completed withdrawal",
        )
        self._wallets()

    def _compare(self) -> None:
        """Print the trial balance, and compare it with the provider's record: sums, and this story's figures."""
        rows, found = books.await_equality(self.local, self._figures, self.gaps_before)
        self.verdict = "books as far apart as before" if any(one.gap for one in found) else "books equal"
        console.say("     trial balance (minor units)")
        for row in rows:
            is_own = row.currency == self.currency
            if is_own and (row.balance or ":" not in row.account.removeprefix("escrow:")):
                console.say(f"       {row.account:<40} {row.currency} {row.balance:>12}")
        for one in found:
            console.say(f"     {one.what}: {one.ledger} in the ledger, {one.sandbox} at the provider")
        earned = books.balance(rows, "platform:fees", self.currency) - self.fees_before
        self._equal(f"the freelancer's {self._destination()}", self._banked(), self.share)
        self._equal("the platform's fees of this task", earned, self.fee)

    def _destination(self) -> str:
        return "bank"

    def _equal(self, what: str, found_minor: int, wanted: Decimal) -> None:
        found = Decimal(found_minor).scaleb(-2)
        console.say(f"     {what}: {found} {self.currency}")
        if found != wanted:
            raise StackError(f"{what} should have {wanted} {self.currency} and has {found}")

    def _wallets(self) -> None:
        for person in (self.client, self.freelancer):
            wallet = person.caller.get("/payments/wallet/")
            parts = ("escrowed", "pending", "available", "withdrawing")
            shown = "  ".join(f"{part} {wallet[f'{part}_balance']}" for part in parts)
            totals = f"spent {wallet['lifetime_spent']}  earned {wallet['lifetime_earnings']}"
            console.say(f"       {person.role:<10} {shown}  {totals} {wallet['currency']}")


def must(what: str, answer: Answer, **wanted: Any) -> None:
    """Compare fields of a response with the expected values; amounts are compared as numbers."""
    for name, value in wanted.items():
        shown = Decimal(answer[name]) if isinstance(value, Decimal) else answer[name]
        if shown != value:
            raise StackError(f"{what} shows {name} {answer[name]!r} instead of {value!s}")
