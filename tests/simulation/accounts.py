"""Payees' accounts that change or end at the provider."""

from collections.abc import Callable

from multitask.payments.models import ConnectedAccount
from sandboxes.kit.documents import Doc
from tests.simulation.conditions import DAY, HOUR
from tests.simulation.dashboard import Dashboard
from tests.simulation.story import Story

ON_THEIR_WAY = ("pending", "in_transit")
ASKED = "individual.verification.document"


class Accounts:
    """Draws what the provider and the owners do with the payees' accounts, and ends what is not for good."""

    def __init__(self, story: Story, dashboard: Dashboard) -> None:
        self.story, self._rng, self._dashboard = story, story.fate, dashboard

    def change(self) -> None:
        """Let one account change, or a payout come back to one that was replaced."""
        accounts = self._open()
        if not accounts:
            return
        happens: tuple[Callable[[str], object], ...] = (
            self._reject, self._reject, self._reject, self._leave, self._leave, self._close, self._lose, self._ask,
            self._ask, self._return_payout, self._return_payout,
        )  # fmt: skip
        self._rng.choice(happens)(self._rng.choice(accounts))

    def end(self) -> None:
        """Give back what accounts have lost, and ask for nothing more."""
        for account in self._open():
            self._dashboard.restore(account)

    def _open(self) -> list[str]:
        provider = self.story.provider
        found = [doc for doc in provider.some("account") if doc["id"] != provider.sandbox.platform]
        return [doc["id"] for doc in found if not doc.get("_deauthorized")]

    def _reject(self, account: str) -> None:
        reason = self._rng.choice(("fraud", "terms_of_service", "other"))
        self.story.say(f"the provider rejects {account}: {self._dashboard.reject(account, reason)}")

    def _leave(self, account: str) -> None:
        # What becomes of a payout after this is shown to its owner alone.
        if not self._payouts(account, *ON_THEIR_WAY):
            self._dashboard.deauthorize(account)
            self.story.say(f"the owner of {account} ends the platform's access")

    def _close(self, account: str) -> None:
        is_closed = self._dashboard.close(account)
        if is_closed and not ConnectedAccount.objects.filter(provider_account_id=account).exists():
            # Nobody can find it any more, so it is made anew.
            self.story.provider.forget(account)
        self.story.say(f"somebody closes {account} in the dashboard: {is_closed}")

    def _lose(self, account: str) -> None:
        lost = self._rng.choice((["transfers"], ["transfers"], []))
        self._dashboard.change(account, lost=lost)
        self.story.say(f"{account} has lost {lost}")

    def _ask(self, account: str) -> None:
        within = self._rng.choice((0.0, HOUR, 2 * DAY, 9 * DAY))
        self._dashboard.change(account, asked=[ASKED], within=within)
        self.story.say(f"the provider asks {account} for more within {within:.0f} s")

    def _return_payout(self, account: str) -> None:
        """Send a payout back, by preference one of an account that has ended."""
        payouts = [doc for one in self._open() if self._has_ended(one) for doc in self._payouts(one, "paid")]
        payouts = payouts or self._payouts(account, "paid", *ON_THEIR_WAY)
        if payouts:
            self.story.say("a bank sends a payout back")
            self.story.provider.fail_payout(self._rng.choice(payouts)["id"])

    def _has_ended(self, account: str) -> bool:
        doc = next(doc for doc in self.story.provider.some("account") if doc["id"] == account)
        return str(doc["_disabled"] or "").startswith("rejected")

    def _payouts(self, account: str, *statuses: str) -> list[Doc]:
        since = self.story.clock.true - 8 * DAY
        owner_of = self.story.provider.owner_of
        found = self.story.provider.some("payout", *statuses)
        return [doc for doc in found if doc["created"] >= since and owner_of(doc["id"]) == account]
