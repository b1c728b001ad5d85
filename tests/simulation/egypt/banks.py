"""What happens at Paymob and at the banks without us: payouts end, come back, and payments are refunded there."""

from collections.abc import Callable

from multitask.payments.models import Operation, Refund
from multitask.payments.states import OPEN_OPERATIONS
from sandboxes.kit.documents import Doc
from tests.egypt_world import EXCEEDS
from tests.simulation.conditions import DAY
from tests.simulation.egypt.paymob import OPEN_PAYOUTS, Paymob
from tests.simulation.mishaps import STEPS
from tests.simulation.story import Story

WITHIN = 8 * DAY


class Banks:
    """Draws external events, and ends those that block money."""

    def __init__(self, story: Story, paymob: Paymob) -> None:
        self.story, self.paymob = story, paymob
        self._is_over = False

    def draw(self) -> None:
        """Draw whether something happens now."""
        story = self.story
        if story.chance(story.conditions.step):
            skew = story.rng.choice(STEPS)
            story.say(f"our clock is {skew:+.0f} s off now")
            story.clock.step(skew)
        if story.chance(story.conditions.mishap):
            happens: tuple[Callable[[], None], ...] = (
                self._payout_ends, self._payout_returns, self._refunded_there, self._voided_there,
            )  # fmt: skip
            story.rng.choice(happens)()

    def end(self) -> None:
        """End the payouts that nobody else ends, and let those through that Paymob would refuse for ever."""
        if not self._is_over:
            self.paymob.let_through(EXCEEDS)
            self._is_over = True
        for payout in self.paymob.some("payout", *OPEN_PAYOUTS):
            self._end(payout)

    def _payout_ends(self) -> None:
        if waiting := self.paymob.some("payout", *OPEN_PAYOUTS):
            self._end(self.story.rng.choice(waiting))

    def _end(self, payout: Doc) -> None:
        outcome = self.story.rng.choice(("succeed", "succeed", "fail"))
        self.story.say(f"a bank ends payout {payout['id'][:8]}: {outcome}")
        self.paymob.decide(payout["id"], outcome)

    def _payout_returns(self) -> None:
        since = self.story.clock.true - WITHIN
        paid = [payout for payout in self.paymob.some("payout", "successful") if payout["_updated"] >= since]
        if paid:
            payout = self.story.rng.choice(paid)
            self.story.say(f"a bank returns payout {payout['id'][:8]}")
            self.paymob.decide(payout["id"], "return")

    def _refunded_there(self) -> None:
        if payment := self._payment():
            left = payment["amount"] - payment["refunded"]
            amount = self.story.rng.choice((left, left, max(1, left // 3)))
            outcome = self.paymob.refund(payment["number"], amount)
            self.story.say(f"somebody refunds {amount} of {payment['number']} in the dashboard: {outcome}")

    def _voided_there(self) -> None:
        if payment := self._payment():
            outcome = self.paymob.void(payment["number"])
            self.story.say(f"somebody voids {payment['number']} in the dashboard: {outcome}")

    def _payment(self) -> Doc | None:
        """Return a payment of which something is left, and of which no refund of ours is under way."""
        since = self.story.clock.true - WITHIN
        calls = Operation.objects.filter(kind="create_refund", state__in=[state.value for state in OPEN_OPERATIONS])
        refunds = Refund.objects.filter(pk__in=calls.values("subject_id"))
        busy = set(refunds.values_list("payment__provider_collection_id", flat=True))
        found = [
            doc
            for doc in self.paymob.payments()
            if doc["amount"] > doc["refunded"]
            and not doc["voided"]
            and doc["_moment"] >= since
            and str(doc["number"]) not in busy
        ]
        return self.story.rng.choice(found) if found else None
