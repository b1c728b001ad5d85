"""What else goes wrong in some stories in which money comes back, and when it happens.

`story.fate` draws it, apart from everything else, so that stories without these situations stay as they are.
"""

from collections.abc import Callable

from sandboxes.kit.documents import Doc
from tests.simulation.accounts import Accounts
from tests.simulation.conditions import (
    ACCOUNTS,
    CARDS,
    CONVERSION,
    DAY,
    EVIDENCE,
    HOUR,
    MINUTE,
    OWN_MONEY,
    SITUATIONS,
    WARNINGS,
)
from tests.simulation.deal import Deal
from tests.simulation.losses import Losses
from tests.simulation.story import Story

PER_TURN = 0.006
AT_A_POINT = 0.35
PAUSES = (0.0, 5.0, MINUTE, HOUR, DAY, 3 * DAY)
RATES = ("1.0834", "1.1", "0.9417")


class Situations:
    """Draws when they happen. What a person does about one of them is drawn where the person acts."""

    def __init__(self, story: Story, losses: Losses) -> None:
        self.story, self._rng, self._dashboard = story, story.fate, losses.dashboard
        self.accounts = Accounts(story, losses.dashboard)
        happens: dict[str, Callable[[], None]] = {
            EVIDENCE: losses.contest,
            WARNINGS: self._warn,
            ACCOUNTS: self.accounts.change,
            CARDS: self._remove,
            CONVERSION: self._settle,
            OWN_MONEY: self._own_money,
        }
        self._happens = [happens[name] for name in SITUATIONS if name in story.situations and name in happens]
        if story.befalls(CONVERSION, 0.7):
            self._settle()

    def draw(self) -> None:
        """Draw whether something happens now."""
        if self._happens and self._rng.random() < PER_TURN:
            self._rng.choice(self._happens)()

    def strike(self, deal: Deal) -> None:
        """Draw whether something happens at this point of a task, and whether the freelancer reacts."""
        if not self._happens or self._rng.random() > AT_A_POINT:
            return
        self._rng.choice(self._happens)()
        self.story.rest(self._rng.choice(PAUSES))
        if self.story.befalls(ACCOUNTS, 0.7):
            deal.renew()

    def end(self) -> None:
        """End what would stop money for ever."""
        self.accounts.end()

    def _one(self, kind: str, is_wanted: Callable[[Doc], bool]) -> Doc | None:
        found = [doc for doc in self.story.provider.some(kind) if is_wanted(doc)]
        return self._rng.choice(found) if found else None

    # -- banks

    def _warn(self) -> None:
        """Warn of fraud, and sometimes contest the payment later, whatever was done about the warning."""
        charge = self._one("charge", lambda doc: bool(doc["captured"] and doc.get("_card")))
        if charge is None or not self._dashboard.warn(charge["id"]):
            return
        self.story.say(f"a bank warns of {charge['id']}")
        if self._rng.random() < 0.5:
            self.story.turns.begin("bank", lambda: self._contest(charge["id"]))

    def _contest(self, charge: str) -> None:
        self.story.rest(self._rng.choice((HOUR, DAY, 3 * DAY)))
        if not self.story.is_calm and self._dashboard.contest(charge, amount=None, inquiry=False):
            self.story.say(f"a bank contests {charge}, of which it had warned")

    # -- customers and cards

    def _remove(self) -> None:
        """Delete a customer in the provider's dashboard, or detach a card."""
        kind, remove, is_wanted = self._rng.choice(
            (
                ("customer", self._dashboard.delete_customer, lambda doc: not doc.get("_deleted")),
                ("payment_method", self._dashboard.detach, lambda doc: bool(doc["customer"])),
            )
        )
        found = self._one(kind, is_wanted)
        if found is not None:
            self.story.say(f"somebody removes {found['id']} in the dashboard: {remove(found['id'])}")

    # -- the platform's own balance

    def _settle(self) -> None:
        """Settle what comes in other currencies in US dollars from now on, at a rate of the moment, or stop that."""
        rate = self._rng.choice((*RATES, *RATES, ""))
        self._dashboard.settle_in_dollars(("eur", "gbp"), rate)
        self.story.say(f"euros and pounds are {f'settled at {rate}' if rate else 'kept'} from now on")

    def _own_money(self) -> None:
        """Move the platform's own money in the dashboard, or let its bank refuse or return such a movement."""
        currency, amount = self._rng.choice(("usd", "usd", "eur", "gbp")), self._rng.randint(100, 90_000)
        own = self._dashboard
        move = self._rng.choice((own.top_up, own.pay_out_own, own.stop_top_up, own.stop_own_payout))
        done = move(currency, amount)
        self.story.say(f"somebody moves {amount} {currency} of the platform's own money by {move.__name__}: {done}")
