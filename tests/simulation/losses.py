"""Money that comes back or moves without us: chargebacks, and what people do in the provider's dashboard."""

from collections.abc import Callable

from sandboxes.kit.documents import Doc
from sandboxes.stripe.objects import dispute as disputes
from tests.simulation.conditions import DAY, HOUR, MINUTE
from tests.simulation.dashboard import Dashboard
from tests.simulation.story import Story

# What follows an event at the provider comes after such pauses.
PAUSES = (0.0, 5.0, MINUTE, HOUR, DAY, 3 * DAY)


class Losses:
    """Draws what moves money at the provider without us, and ends what is undecided."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.dashboard = Dashboard(story.provider)

    def draw(self) -> None:
        """Draw whether something happens now."""
        story = self.story
        if not story.chance(story.conditions.loss):
            return
        happens: tuple[Callable[[], None], ...] = (
            self.contest, self.contest, self._decide, self._decide, self._overturn, self.refund, self.reverse,
            self.pay_out, self._own_money, self._line, self._line, self._switch_statement,
        )  # fmt: skip
        story.rng.choice(happens)()

    def strike(self) -> None:
        """Let one thing happen at a point of a task, and what follows from it."""
        happens: tuple[Callable[[], None], ...] = (
            self.contest, self.contest, self.contest, self.refund, self.reverse, self.pay_out,
        )  # fmt: skip
        self.story.rng.choice(happens)()
        self.story.rest(self.story.rng.choice(PAUSES))
        if self.story.chance(0.5):
            self._decide()
            self.story.rest(self.story.rng.choice(PAUSES))
        if self.story.chance(0.2):
            self._overturn()

    # -- banks

    def contest(self) -> None:
        """Contest a payment: all of it or a part, by an inquiry or at once, now and then decided at once."""
        story = self.story
        charge = self._one("charge", lambda doc: bool(doc["captured"] and doc.get("_card")))
        if charge is None:
            return
        amount = self._part(charge["amount_captured"])
        inquiry = story.chance(0.25)
        ident = self.dashboard.contest(
            charge["id"], amount=None if amount == charge["amount_captured"] else amount, inquiry=inquiry
        )
        if not ident:
            return
        story.say(f"a bank {'asks about' if inquiry else 'contests'} {amount} of {charge['id']}: {ident}")
        if story.chance(0.1):
            self._close(ident)

    def _decide(self) -> None:
        """Let a bank decide, or turn its inquiry into a chargeback."""
        found = self._one("dispute", disputes.is_open)
        if found is None:
            return
        if found["status"].startswith("warning") and self.story.chance(0.6):
            self.story.say(f"the bank's inquiry {found['id']} becomes a chargeback")
            self.dashboard.escalate(found["id"])
            return
        self._close(found["id"])

    def _close(self, ident: str) -> None:
        outcome = self.story.rng.choice(("won", "lost", "lost"))
        self.story.say(f"chargeback {ident} is {outcome}")
        self.dashboard.conclude(ident, outcome, return_fee=self.story.chance(0.3))

    def _overturn(self) -> None:
        found = self._one("dispute", lambda doc: bool(doc["status"] == "lost"))
        if found is not None and self.dashboard.overturn(found["id"], return_fee=self.story.chance(0.3)):
            self.story.say(f"chargeback {found['id']} was lost and is won")

    # -- the dashboard

    def refund(self) -> None:
        """Refund a part of a payment."""
        charge = self._one("charge", lambda doc: bool(doc["captured"] and doc.get("_card") and not doc["refunded"]))
        if charge is not None:
            amount = self._part(charge["amount_captured"] - charge["amount_refunded"])
            done = self.dashboard.refund(charge, amount)
            self.story.say(f"somebody refunds {amount} of {charge['id']} in the dashboard: {done}")

    def reverse(self) -> None:
        """Bring a part of a transfer back."""
        transfer = self._one("transfer", lambda doc: not doc["reversed"])
        if transfer is not None:
            amount = self._part(transfer["amount"] - transfer["amount_reversed"])
            done = self.dashboard.reverse(transfer, amount)
            self.story.say(f"somebody reverses {amount} of {transfer['id']} in the dashboard: {done}")

    def pay_out(self) -> None:
        """Pay out what an account has, as its owner does."""
        platform = self.story.provider.sandbox.platform
        account = self._one("account", lambda doc: bool(doc["id"] != platform))
        if account is None:
            return
        held = self.dashboard.available(account["id"], "usd")
        if held >= 100:
            amount = max(100, self._part(held))
            done = self.dashboard.pay_out(account["id"], "usd", amount)
            self.story.say(f"the owner of {account['id']} pays {amount} out: {done}")

    def _own_money(self) -> None:
        """Pay the platform's own money out, or top it up."""
        amount = self.story.rng.randint(100, 90_000)
        move = self.story.rng.choice((self.dashboard.pay_out_own, self.dashboard.top_up))
        done = move("usd", amount)
        self.story.say(f"somebody moves {amount} of the platform's own money by {move.__name__}: {done}")

    def _line(self) -> None:
        """Write a line that no object caused: a fee of the provider, or a correction."""
        kind = self.story.rng.choice(("stripe_fee", "adjustment"))
        amount = self.story.rng.choice((-250, -1_999, 300))
        self.story.say(f"the provider writes a line of {amount}: {kind}")
        self.dashboard.write_line(kind, "usd", amount)

    def _switch_statement(self) -> None:
        """Stop reading the statement, or go on."""
        queue = self.story.queue
        queue.is_statement_off = not queue.is_statement_off
        self.story.say(f"the statement is {'not ' if queue.is_statement_off else ''}read from now on")

    # -- the end

    def end(self) -> None:
        """Let the banks decide everything, and read the statement."""
        self.story.queue.is_statement_off = False
        for found in self.story.provider.some("dispute"):
            if disputes.is_open(found):
                self._close(found["id"])

    def _one(self, kind: str, is_wanted: Callable[[Doc], bool]) -> Doc | None:
        found = [doc for doc in self.story.provider.some(kind) if is_wanted(doc)]
        return self.story.rng.choice(found) if found else None

    def _part(self, whole: int) -> int:
        """Draw all of an amount or a part of it."""
        return self.story.rng.choice((whole, whole, max(1, whole // 2), self.story.rng.randint(1, whole)))
