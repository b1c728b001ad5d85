"""One task and its two sides: their requests, and what the responses confirm."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from multitask.marketplace.models import Application, Task
from multitask.money import Money
from multitask.payments.losses import late_refunds
from multitask.payments.models import (
    ConnectedAccount,
    Dispute,
    Escrow,
    Milestone,
    Payment,
    Refund,
    SavedMethod,
    Withdrawal,
)
from multitask.payments.states import STEPS, EscrowState
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.simulation.conditions import CHOICES, CONVERSION, DAY, HOUR
from tests.simulation.losses import Losses
from tests.simulation.people import Person
from tests.simulation.story import Broken, Story

DECIMALS = {"USD": 2, "EUR": 2, "GBP": 2, "EGP": 2}
UNROUTED = ({"budget": "5000", "currency": "JPY"}, {"budget": "40.000", "currency": "KWD"})
PLACE, WRONG_PLACE = {"country": "US", "currency": "USD"}, {"country": "DE", "currency": "EUR"}
BANKS = ("000123456789",) * 5 + ("000111111116", "000555555559")


def written(minor: int, currency: str) -> str:
    """Write minor units as the API does."""
    places = DECIMALS[currency]
    return f"{minor // 10**places}.{minor % 10**places:0{places}d}" if places else str(minor)


class Deal:
    """One task with its client and freelancer, and what their responses contained."""

    def __init__(self, story: Story, client: Person, freelancer: Person, stranger: Person, losses: Losses) -> None:
        self.story, self.client, self.freelancer, self.stranger = story, client, freelancer, stranger
        self.losses = losses
        rng = story.rng
        self.currency = rng.choice(("USD",) * 8 + ("EUR", "EUR", "GBP"))
        # Where the platform settles in dollars, more of the tasks have another currency.
        self.currency = "EUR" if story.befalls(CONVERSION, 0.5) else self.currency
        units = rng.choice((rng.randint(20, 400), rng.randint(20, 400), rng.randint(900, 3_000)))
        self.price = units * 10 ** DECIMALS[self.currency]
        if self.currency == "USD":
            self.price += rng.randint(0, 99)
        self.task = self.application = 0
        self.escrow = ""
        self.payment = self.secret = ""
        self.seen = ""

    @property
    def escrow_path(self) -> str:
        """Where the escrow is."""
        return f"/payments/escrow/{self.escrow}/"

    # -- hiring

    def hire(self) -> bool:
        """Post the task, apply, accept."""
        body = {
            "title": f"Task {self.story.number()}", "description": "A round one",
            "budget": written(self.price, self.currency), "currency": self.currency,
        }  # fmt: skip
        if self.story.chance(0.05):
            unrouted = body | self.story.rng.choice(UNROUTED)
            self.client.must_not("POST", "/api/tasks/create/", unrouted)
        posted = self.client.post("/api/tasks/create/", body)
        if posted is None or not posted.is_done:
            return False
        self.task = posted.body["id"]
        self.story.responses.record(f"task {self.task}", "posted", lambda: Task.objects.filter(pk=self.task).exists())
        applied = self.freelancer.post(f"/api/tasks/{self.task}/apply/")
        if applied is None:
            return False
        if applied.is_done:
            self.application = applied.body["id"]
        else:
            mine = self.freelancer.get("/api/tasks/my-applications/") or {"results": []}
            self.application = next((one["id"] for one in mine["results"] if one["task"] == self.task), 0)
        if not self.application:
            return False
        accepted = self.client.post(f"/api/tasks/applications/{self.application}/accept/")
        if accepted is not None and accepted.is_done:
            applications = Application.objects.filter(pk=self.application, status="accepted")
            self.story.responses.record(f"application {self.application}", "accepted", applications.exists)
        return Application.objects.filter(pk=self.application, status="accepted").exists()

    def step(self, who: Person, name: str) -> bool:
        """Start, deliver, complete or cancel the task."""
        answer = who.post(f"/api/tasks/{self.task}/{name}/")
        if answer is None or not answer.is_done:
            return False
        field = {"start": "started", "deliver": "delivered", "complete": "completed", "cancel": "cancelled"}[name]
        done = Milestone.objects.filter(agreement__task=self.task, **{f"{field}_at__isnull": False})
        self.story.responses.record(f"{name} of task {self.task}", "done", done.exists)
        return True

    # -- paying

    def intend(self) -> bool:
        """Ask for the payment, sometimes twice at once."""
        body, key = {"application_id": self.application}, self.client.key()
        if self.story.chance(self.story.conditions.double):
            self.story.also(self.client.name, lambda: self.client.post("/payments/intents/create/", body))
        answer = self.client.post("/payments/intents/create/", body, key=key)
        if answer is None or not answer.is_done:
            return False
        if answer.body["escrow_id"] != self.escrow:
            self.seen = ""
        self.escrow, self.payment = answer.body["escrow_id"], answer.body["payment_intent_id"]
        self.secret = self.page_secret(answer.body)
        payment, escrow = self.payment, self.escrow
        made = Payment.objects.filter(provider_payment_id=payment, escrow__public_id=escrow)
        amount = made.filter(amount_minor=self.price, currency=self.currency)
        self.story.responses.record(f"payment {payment}", f"made over {self.price}", amount.exists)
        return True

    def page_secret(self, answer: dict[str, Any]) -> str:
        """Return the secret with which the client pays in the browser."""
        return str(answer["client_secret"])

    def pay(self, card: str) -> None:
        """Pay in the browser, and answer the bank's question."""
        self.story.pass_by(1)
        status = self.story.provider.confirm(self.payment, self.secret, card)["status"]
        self.story.say(f"{self.client.name} pays with {card} -> {status}")
        if "equired" in card:
            self.story.rest(20 * self.story.rng.random())
            passed = self.story.chance(0.8)
            self.story.say(f"{self.client.name} answers the bank: {passed}")
            self.story.provider.authenticate(self.payment, passed=passed)

    def state(self) -> str:
        """Read the escrow as one of its sides; its states follow each other only as they may."""
        who = self.story.rng.choice((self.client, self.freelancer))
        shown = who.get(self.escrow_path) if self.escrow else None
        if shown is None:
            return self.seen
        if self.seen and shown["status"] != self.seen and shown["status"] not in _reachable(self.seen):
            raise Broken(f"the escrow was {self.seen} and is {shown['status']}")
        self.seen = shown["status"]
        return self.seen

    def until(self, *states: str, longest: float = 3 * HOUR) -> bool:
        """Look at the escrow until it is in one of these states, for a while."""
        pause = 15.0
        began = self.story.clock.true
        while self.state() not in states:
            if self.story.clock.true - began > longest:
                return False
            self.story.rest(pause)
            pause *= 8
        return True

    # -- the money

    def release(self, who: Person | None = None) -> bool:
        """Release as the client, sometimes by a double click."""
        who = who or self.client
        if self.story.chance(self.story.conditions.double):
            self.story.also(who.name, lambda: who.post(f"{self.escrow_path}release/"))
        answer = who.post(f"{self.escrow_path}release/", key=who.key())
        if answer is None or not answer.is_done:
            return False
        released = Escrow.objects.filter(public_id=self.escrow, state="released", released_minor__gt=0)
        self.story.responses.record(f"release of {self.task}", "released", released.exists)
        return True

    def refund(self, who: Person, amount: int | None = None) -> int:
        """Refund or ask for it; return the refund's number, 0 for none."""
        body: dict[str, Any] = {"reason": "Changed my mind"}
        if amount is not None:
            body["amount"] = written(amount, self.currency)
        answer = who.post(f"{self.escrow_path}refund/", body, key=who.key())
        if answer is None or not answer.is_done or answer.body["refund"] is None:
            return 0
        number = int(answer.body["refund"]["id"])
        made = Refund.objects.filter(pk=number, escrow__public_id=self.escrow)
        made = made if amount is None else made.filter(amount_minor=amount)
        made = made.exclude(state="requested") if answer.status == 200 else made
        self.story.responses.record(f"refund {number}", "begun" if answer.status == 200 else "asked for", made.exists)
        return number

    def answer_refund(self, who: Person, number: int, name: str) -> bool:
        """Accept, refuse or withdraw a request."""
        key = who.key() if name != "withdraw" else ""
        answer = who.post(f"/payments/refunds/{number}/{name}/", key=key)
        if answer is None or answer.status != 200:
            return False
        states = {"accept": ["pending", "succeeded", "failed"], "refuse": ["refused"], "withdraw": ["withdrawn"]}
        answered = Refund.objects.filter(pk=number, state__in=states[name])
        self.story.responses.record(f"refund {number}", f"answered with {name}", answered.exists)
        return True

    def refund_late(self) -> None:
        """Return a part of what was released, as the freelancer, or all of it."""
        freelancer, amount = self.freelancer, None
        if self.currency == "USD" and self.story.chance(0.5):
            amount = Money(self.price // 3, self.currency)
        escrow, key = UUID(self.escrow), freelancer.key()

        def give_back() -> object:
            actor = Actor.of(User.objects.get(pk=freelancer.id), ip=freelancer.address)
            now = datetime.fromtimestamp(self.story.now, UTC)
            return late_refunds.refund(
                actor=actor, escrow_id=escrow, amount=amount, reason="It was late", now=now, request_key=key
            )

        for _ in range(2):
            if freelancer.command("refund_late", give_back):
                made = Refund.objects.filter(escrow__public_id=escrow, source="released", request_key=key)
                self.story.responses.record(f"late refund {key}", "made", made.exists)
                return

    def dispute(self, who: Person) -> bool:
        """Open a dispute."""
        answer = who.post(f"{self.escrow_path}dispute/", {"reason": "It is square"}, key=who.key())
        if answer is None or not answer.is_done:
            return False
        number = answer.body["id"]
        self.story.responses.record(f"dispute {number}", "opened", Dispute.objects.filter(pk=number).exists)
        return True

    # -- the freelancer's account and bank

    def onboard(self) -> bool:
        """Open the account at the provider and fill in its form, sometimes in stages."""
        story, freelancer = self.story, self.freelancer
        place = WRONG_PLACE if story.befalls(CHOICES, 0.5) else PLACE
        opened = freelancer.post("/payments/connect/create/", place)
        if opened is None or not (opened.is_done or opened.code == "account_exists"):
            return False
        accounts = ConnectedAccount.objects.filter(user_id=freelancer.id).exclude(provider_account_id=None)
        story.responses.record(f"account of {freelancer.name}", "opened", accounts.exists)
        if story.befalls(CHOICES, 0.5):
            self._choose_anew()
        for is_left in (True, False) if story.chance(0.2) else (False,):
            link = freelancer.post("/payments/connect/onboarding/")
            if link is None or not link.is_done:
                return False
            story.rest(story.rng.choice((1.0, 60.0, 60.0, 400.0)))
            bank = story.rng.choice(BANKS)
            taken = story.provider.fill_in(link.body["url"], bank=bank, is_left=is_left)
            story.say(f"{freelancer.name} fills the form in ({bank[-4:]}) -> {taken}")
        return True

    def _choose_anew(self) -> None:
        """Choose another country and currency, sometimes as another wish comes in; that ends in the right place."""
        freelancer = self.freelancer
        if self.story.fate.random() < 0.3:
            self.story.also(freelancer.name, lambda: freelancer.post("/payments/connect/replace/", WRONG_PLACE))
        for place in (WRONG_PLACE, PLACE) if self.story.fate.random() < 0.3 else (PLACE,):
            freelancer.post("/payments/connect/replace/", place)

    def renew(self) -> None:
        """Look at the account at the provider; open another one if it has ended, or complete it."""
        status = self.freelancer.get("/payments/connect/status/")
        if status is not None and (not status["has_account"] or not status["onboarding_completed"]):
            self.onboard()

    def add_bank(self) -> None:
        """Give the account at the provider a bank account in the deal's currency."""
        accounts = ConnectedAccount.objects.filter(user_id=self.freelancer.id, retired_at=None)
        account = accounts.exclude(provider_account_id=None).first()
        if account is not None and self.story.provider.is_reachable(str(account.provider_account_id)):
            self.story.provider.add_bank(str(account.provider_account_id), self.currency)
            self.story.say(f"{self.freelancer.name} adds a bank account in {self.currency}")

    def withdraw(self) -> bool:
        """Withdraw what is available, or a part of it."""
        wallet = self.freelancer.get("/payments/wallet/")
        if wallet is None:
            return False
        available = round(float(wallet["available_balance"]) * 100)
        if wallet["currency"] != "USD" or available < 100:
            return False
        amount = self.story.rng.choice((available, available, max(100, available // 2)))
        body, key = {"amount": written(amount, "USD"), "currency": "USD"}, self.freelancer.key()
        if self.story.chance(self.story.conditions.double):
            self.story.also(self.freelancer.name, lambda: self._withdraw(amount, body, key))
        return self._withdraw(amount, body, key)

    def _withdraw(self, amount: int, body: dict[str, str], key: str) -> bool:
        answer = self.freelancer.post("/payments/withdrawals/create/", body, key=key)
        if answer is None or not answer.is_done:
            return False
        number = answer.body["withdrawal"]["id"]
        mine = Withdrawal.objects.filter(pk=number, user_id=self.freelancer.id, amount_minor=amount)
        ended = mine.filter(state__in=["completed", "failed", "cancelled"])
        self.story.responses.record(f"withdrawal {number}", f"begun over {amount}", ended.exists)
        if self.story.chance(0.15):
            self._cancel_withdrawal(number)
        return True

    def _cancel_withdrawal(self, number: int) -> None:
        """Cancel a withdrawal soon after it was asked for, sometimes by a double click."""
        self.story.rest(self.story.rng.choice((0.0, 0.0, 2.0, 60.0, HOUR, DAY)))
        path = f"/payments/withdrawals/{number}/cancel/"
        if self.story.chance(self.story.conditions.double):
            self.story.also(self.freelancer.name, lambda: self.freelancer.post(path))
        answer = self.freelancer.post(path, key=self.freelancer.key())
        if answer is not None and answer.status == 200:
            cancelled = Withdrawal.objects.filter(pk=number, state="cancelled")
            self.story.responses.record(f"cancellation of withdrawal {number}", "done", cancelled.exists)

    # -- saved cards

    def save_card(self) -> None:
        """Save a card, perhaps make it the default, perhaps delete it."""
        story, client = self.story, self.client
        card = story.provider.card(story.rng.choice(("visa", "mastercard", "authenticationRequired")))
        body = {"payment_method_id": card, "set_default": story.chance(0.5)}
        saved = client.post("/payments/payment-methods/create/", body)
        if saved is None or not saved.is_done:
            return
        number = saved.body["id"]
        there = SavedMethod.objects.filter(pk=number, detached_at=None)
        has_card = story.provider.has_card
        story.responses.record(f"card {number}", "saved", lambda: there.exists() or not has_card(card))
        if story.chance(0.4):
            story.responses.forget(f"card {number}")
            deleted = client.post(f"/payments/payment-methods/{number}/delete/")
            if deleted is not None and deleted.is_done:
                gone = SavedMethod.objects.filter(pk=number).exclude(detached_at=None)
                story.responses.record(f"card {number}", "deleted", gone.exists)


def _reachable(state: str) -> set[str]:
    """Return the states that can be reached from a state."""
    found: set[str] = set()
    waiting = [EscrowState(state)]
    while waiting:
        for following in STEPS[EscrowState][waiting.pop()]:
            if following.value not in found:
                found.add(following.value)
                waiting.append(EscrowState(following.value))
    return found
