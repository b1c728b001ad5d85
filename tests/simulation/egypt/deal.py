"""A task in Egyptian pounds: paying on Paymob's page, the payee's identity and destination, withdrawals."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from multitask.payments.models import PayeeIdentity, PayoutDestination, SavedMethod, Withdrawal
from multitask.users.models import User
from tests.simulation.conditions import DAY, HOUR
from tests.simulation.deal import Deal, written
from tests.simulation.egypt.paymob import Paymob
from tests.simulation.losses import Losses
from tests.simulation.people import Person
from tests.simulation.story import Story

CURRENCY = "EGP"
# The last digit decides how a payout there ends; other numbers succeed, sometimes later.
WALLETS = tuple(f"0100000000{digit}" for digit in (1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9)) + ("01234567891",) * 2
GOOD = "01000000001"
ISSUERS = ("vodafone", "vodafone", "etisalat", "orange", "bank_wallet")
ACCOUNTS = ("12345678901", "12340000001", "12340000003", "12340000004", "12340000005", "12340000006", "12340000008")


class EgyptDeal(Deal):
    """One task in Egyptian pounds."""

    def __init__(
        self, story: Story, client: Person, freelancer: Person, stranger: Person, losses: Losses, paymob: Paymob
    ) -> None:
        super().__init__(story, client, freelancer, stranger, losses)
        self.paymob = paymob
        self.currency = CURRENCY
        rng = story.rng
        self.price = rng.choice((rng.randint(200, 2_000), rng.randint(200, 2_000), rng.randint(3_000, 9_000))) * 100
        self.price += rng.randint(0, 99)
        self.has_saved_card = False

    def page_secret(self, answer: dict[str, Any]) -> str:
        """Return the secret of the page to which the answer leads the client."""
        return parse_qs(urlsplit(answer["redirect_url"]).query).get("clientSecret", [""])[0]

    def begin_to_pay(self, method: str, **given: Any) -> int:
        """Begin to pay on the page; return the number of the transaction, 0 for none."""
        self.story.pass_by(1)
        number = self.paymob.pay(self.secret, method, given)
        self.has_saved_card |= bool(given.get("save"))
        self.story.say(f"{self.client.name} pays by {method} {given.get('card', '')[-4:]} -> {number}")
        return number

    def answer(self, number: int, *, passed: bool) -> None:
        """Give the code that is asked for, or pay the bill."""
        if number:
            outcome = self.paymob.answer(number, passed=passed)
            self.story.say(f"{self.client.name} answers about {number}: {passed} -> {outcome}")

    def manage_cards(self) -> None:
        """Make a saved card the default, or remove it; sometimes by a double click."""
        story, client = self.story, self.client
        listed = client.get("/payments/payment-methods/")
        if listed is None or not listed["results"]:
            return
        number = story.rng.choice(listed["results"])["id"]
        if story.chance(0.4):
            client.post(f"/payments/payment-methods/{number}/set-default/")
            return
        path = f"/payments/payment-methods/{number}/delete/"
        if story.chance(story.conditions.double):
            story.also(client.name, lambda: client.post(path))
        removed = client.post(path)
        if removed is not None and removed.is_done:
            gone = SavedMethod.objects.filter(pk=number).exclude(detached_at=None)
            story.responses.record(f"card {number}", "deleted", gone.exists)

    # -- being paid

    def onboard(self) -> bool:
        """Submit the freelancer's identity, and add a destination."""
        return self.identify() and self.add_destination(self.freelancer)

    def identify(self) -> bool:
        """Submit the freelancer's identity; the same again changes nothing."""
        who = self.freelancer
        self.confirm_email(who)
        # A number belongs to one person.
        body = {"legal_name": "Mona Ali Hassan", "national_id": f"290010112{who.id:05d}", "password": who.password}
        answer = who.post("/payments/identity/", body)
        if answer is None or not answer.is_done:
            return False
        submitted = PayeeIdentity.objects.filter(user_id=who.id)
        self.story.responses.record(f"identity of {who.name}", "submitted", submitted.exists)
        return True

    def add_destination(self, who: Person, number: str = "") -> bool:
        """Add a destination, or replace the present one."""
        self.confirm_email(who)
        rng = self.story.rng
        body = {"currency": CURRENCY, "password": who.password}
        if number or rng.random() < 0.8:
            chosen, issuer = number or rng.choice(WALLETS), "vodafone" if number else rng.choice(ISSUERS)
            body |= {"kind": "wallet", "issuer": issuer, "msisdn": chosen}
        else:
            chosen = rng.choice(ACCOUNTS)
            body |= {"kind": rng.choice(("bank", "instapay")), "account_number": chosen, "bank_code": "CIB"}
            body["full_name"] = "Mona Ali Hassan"
        answer = who.post("/payments/destinations/", body)
        if answer is None or not answer.is_done:
            return False
        self.story.say(f"{who.name} will be paid to {chosen}")
        ident = answer.body["destination"]["destination_id"]
        mine = PayoutDestination.objects.filter(public_id=ident, user_id=who.id)
        self.story.responses.record(f"destination {ident}", "added", mine.exists)
        return True

    def confirm_email(self, who: Person) -> None:
        """Confirm the email address; without a second factor that is needed for changes of where money goes."""

        def confirm() -> object:
            now = datetime.fromtimestamp(self.story.now, UTC)
            return User.objects.filter(pk=who.id, email_confirmed_at=None).update(email_confirmed_at=now)

        while not User.objects.filter(pk=who.id).exclude(email_confirmed_at=None).exists():
            who.command("confirm_email", confirm)

    # -- withdrawals

    def withdraw(self) -> bool:
        """Withdraw what is available or parts of it, several at once."""
        wallet = self.freelancer.get("/payments/wallet/")
        if wallet is None:
            return False
        found = [one["available_balance"] for one in wallet["balances"] if one["currency"] == CURRENCY]
        available = round(float(found[0]) * 100) if found else 0
        if available < 20_000:
            return False
        rng = self.story.rng
        parts = rng.choice(([available], [available], [available // 2], [available // 3] * 3, [available // 2] * 3))
        for part in parts[1:]:
            body, key = {"amount": written(part, CURRENCY), "currency": CURRENCY}, self.freelancer.key()
            self.story.also(self.freelancer.name, lambda part=part, body=body, key=key: self._withdraw(part, body, key))
        body, key = {"amount": written(parts[0], CURRENCY), "currency": CURRENCY}, self.freelancer.key()
        if self.story.chance(self.story.conditions.double):
            self.story.also(self.freelancer.name, lambda: self._withdraw(parts[0], body, key))
        return self._withdraw(parts[0], body, key)

    def cash(self) -> None:
        """Withdraw, and again what came back; sometimes to another destination."""
        story = self.story
        if self.state() != "released":
            return
        story.rest(HOUR * story.rng.random())
        for _ in range(5):
            has_begun = self.withdraw()
            story.rest(story.rng.choice((HOUR, DAY, DAY, 4 * DAY)))
            if story.chance(0.2):
                self.add_destination(self.freelancer)
            mine = Withdrawal.objects.filter(user_id=self.freelancer.id)
            if has_begun and not mine.filter(state__in=["failed", "cancelled"]).exists():
                break
            if not has_begun and story.chance(0.5):
                self.onboard()
        if story.chance(0.3):
            body = {"amount": "1000000.00", "currency": CURRENCY}
            self.freelancer.must_not("POST", "/payments/withdrawals/create/", body)
