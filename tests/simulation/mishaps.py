"""External events: banks return money, the provider restricts accounts, clocks are stepped."""

from collections.abc import Callable
from datetime import UTC, datetime

from multitask import database, ledger
from multitask.ledger import Leg
from multitask.money import Money
from multitask.payments.books import loss_postings, postings, shares
from multitask.payments.models import Chargeback, Escrow, Loss
from tests.simulation.conditions import DAY, HOUR, MINUTE
from tests.simulation.story import Story

# A bank decides within days; later than this nobody looks any more.
WITHIN = 8 * DAY
STEPS = (-26 * HOUR, -HOUR, -10.0, 0.0, 0.0, 10.0, 4 * MINUTE, HOUR, 26 * HOUR)


def _hold(escrow: Escrow) -> None:
    escrow.contested_minor += 100
    escrow.save(update_fields=["contested_minor"])
    amount = Money(100, escrow.currency)
    loss_postings.contest(escrow, amount, f"escrow:{escrow.pk}:spoiled", datetime.now(UTC))


def _post_again(loss: Loss) -> None:
    assert loss.chargeback_id is not None
    ledger.post(
        kind="loss_booked",
        scope=postings.SCOPE,
        key=f"loss:{loss.pk}:again",
        legs=[
            Leg(loss_postings.losses_account(), -loss.amount),
            Leg(loss_postings.chargeback_account(loss.chargeback_id), loss.amount),
        ],
        effective_at=datetime.now(UTC),
        description="A loss a second time",
    )


class Mishaps:
    """Draws external events, and ends those that block money."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self._inquiries: list[str] = []
        self._restricted: list[str] = []

    def draw(self) -> None:
        """Draw whether something happens now."""
        story = self.story
        if story.sabotage.moves_money and story.chance(0.01):
            story.provider.take("usd", 100)
        if story.sabotage.spoils_books and story.chance(0.05):
            self._spoil()
        if story.chance(story.conditions.step):
            skew = story.rng.choice(STEPS)
            story.say(f"our clock is {skew:+.0f} s off now")
            story.clock.step(skew)
        if story.chance(story.conditions.mishap):
            happens: tuple[Callable[[], None], ...] = (
                self._payout_fails, self._refund_fails, self._inquiry, self._restriction, self.end,
            )  # fmt: skip
            story.rng.choice(happens)()

    def _spoil(self) -> None:
        """Post what no rule allows, once: money held of an escrow that nobody contests, or a loss a second time."""
        if self.story.sabotage.name == "holds":
            contested = Chargeback.objects.values("escrow")
            other = Escrow.objects.filter(state="released", contested_minor=0).exclude(pk__in=contested).first()
            if other is not None and shares.unspent(other).amount_minor >= 100:
                database.transactional(lambda: _hold(other))()
        else:
            loss = Loss.objects.filter(chargeback__isnull=False, reversed_at=None).first()
            if loss is not None:
                database.transactional(lambda: _post_again(loss))()

    def _payout_fails(self) -> None:
        recent = self._recent("payout", "pending", "in_transit", "paid")
        # What becomes of a payout of an account that the platform cannot reach is shown to its owner alone.
        recent = [ident for ident in recent if self.story.provider.is_reachable(self.story.provider.owner_of(ident))]
        if recent:
            ident = self.story.rng.choice(recent)
            self.story.say("a bank sends a payout back")
            self.story.provider.fail_payout(ident)

    def _refund_fails(self) -> None:
        recent = self._recent("refund", "succeeded", "pending")
        ours = [ident for ident in recent if ident.startswith("re_")]
        if ours:
            self.story.say("a bank sends a refund back")
            self.story.provider.fail_refund(self.story.rng.choice(ours))

    def _recent(self, kind: str, *states: str) -> list[str]:
        since = self.story.clock.true - WITHIN
        return [doc["id"] for doc in self.story.provider.some(kind, *states) if doc["created"] >= since]

    def _inquiry(self) -> None:
        charges = [
            doc["id"]
            for doc in self.story.provider.some("charge", "succeeded")
            if doc["captured"] and doc.get("_card") and not doc["disputed"]
        ]
        if charges:
            self.story.say("a bank asks about a payment")
            self._inquiries.append(self.story.provider.inquire(self.story.rng.choice(charges)))

    def _restriction(self) -> None:
        platform = self.story.provider.sandbox.platform
        accounts = [doc["id"] for doc in self.story.provider.some("account") if doc["id"] != platform]
        if accounts:
            self.story.say("the provider stops an account")
            account = self.story.rng.choice(accounts)
            self.story.provider.restrict(account, "under_review")
            self._restricted.append(account)

    def end(self) -> None:
        """Close all inquiries and lift all restrictions."""
        if self._inquiries or self._restricted:
            self.story.say("banks and provider are content")
        for ident in self._inquiries:
            self.story.provider.close_inquiry(ident)
        for account in self._restricted:
            self.story.provider.restrict(account, None)
        self._inquiries.clear()
        self._restricted.clear()
