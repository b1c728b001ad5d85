"""The course of a task in Egyptian pounds: from hiring to the payout, or to a refund, dispute or cancellation."""

from typing import Any

from tests.simulation import scenarios
from tests.simulation.conditions import DAY, HOUR, MINUTE
from tests.simulation.egypt.deal import EgyptDeal

CARD, SECURE, NO_REFUND = "5123450000000008", "5123456789012346", "4000000000005126"
GOOD_CARDS = (CARD, CARD, CARD, SECURE, SECURE, "4111111111111111", NO_REFUND)
BAD_CARDS = ("4000000000000002", "4000000000009995", "4000000000000069", "4000000000000119")
WRONG_PHONE = "01099999999"


def play(deal: EgyptDeal) -> None:
    """Play one task to an end."""
    story = deal.story
    if not deal.hire():
        return
    onboards_at = story.rng.choice(("first", "first", "middle", "late"))
    if onboards_at == "first":
        deal.onboard()
    if not _paid(deal):
        return
    if onboards_at == "middle":
        deal.onboard()
    scenarios.mischief(deal)
    _between(deal)
    story.rng.choice((scenarios.works, scenarios.works, scenarios.works, scenarios.called_off))(deal)
    if onboards_at == "late":
        deal.onboard()
    if story.chance(0.3):
        # Refunds of cash are paid out to the client.
        deal.add_destination(deal.client)
    deal.cash()
    if deal.state() == "released" and story.chance(0.1):
        deal.refund_late()


def _paid(deal: EgyptDeal) -> bool:
    """Pay, or cancel before paying."""
    story = deal.story
    if story.chance(0.06):
        deal.step(deal.client, "cancel")
        return False
    if not deal.intend():
        return False
    if story.chance(0.06) and not _forgets(deal):
        return deal.seen == "funded"
    if story.chance(0.3):
        _declined(deal)
    if story.chance(0.08):
        story.rest(story.rng.choice(scenarios.PAUSES))
        # The payment may be under way: then it is sent back.
        if story.chance(0.6):
            story.also(deal.client.name, lambda: _pays(deal))
        deal.step(deal.client, "cancel")
        return False
    for _ in range(3):
        _pays(deal)
        if deal.until("funded", "cancelled", longest=HOUR):
            return deal.seen == "funded"
        if not deal.intend():
            return False
    return deal.until("funded", longest=2 * DAY)


def _declined(deal: EgyptDeal) -> None:
    story = deal.story
    if story.chance(0.7):
        deal.answer(deal.begin_to_pay("card", card=story.rng.choice(BAD_CARDS)), passed=True)
    elif story.chance(0.5):
        deal.answer(deal.begin_to_pay("wallet", phone=WRONG_PHONE), passed=True)
    else:
        # The payer goes away while the bank waits for a code.
        deal.begin_to_pay("card", card=SECURE)


def _pays(deal: EgyptDeal) -> None:
    """Pay by one of the ways, sometimes without giving the right code."""
    story = deal.story
    way = story.rng.choice(("card", "card", "card", "wallet", "kiosk"))
    if way == "kiosk":
        _pays_at_kiosk(deal)
        return
    given: dict[str, Any] = {}
    if way == "card":
        offered = deal.paymob.cards_offered(deal.secret)
        if offered and story.chance(0.6):
            way, given = "token", {"token": story.rng.choice(offered)}
        else:
            given = {"card": story.rng.choice(GOOD_CARDS), "save": story.chance(0.5)}
    number = deal.begin_to_pay(way, **given)
    story.rest(20 * story.rng.random())
    deal.answer(number, passed=story.chance(0.85))


def _pays_at_kiosk(deal: EgyptDeal) -> None:
    """Take a bill, and pay it a while later or never."""
    story = deal.story
    number = deal.begin_to_pay("kiosk")
    story.rest(story.rng.choice((10 * MINUTE, 5 * HOUR, DAY, 3 * DAY, 13 * DAY, 16 * DAY)))
    deal.answer(number, passed=story.chance(0.85))


def _forgets(deal: EgyptDeal) -> bool:
    """The client forgets to pay until the escrow is closed; return whether there is a new one to pay."""
    story = deal.story
    story.rest(14 * DAY + story.rng.choice((-MINUTE, 0.0, MINUTE, 12 * HOUR)))
    if story.chance(0.5):
        # At the same moment the client remembers.
        story.also(deal.client.name, lambda: _pays(deal))
    deal.until("cancelled", "funded", longest=3 * DAY)
    return deal.seen == "cancelled" and story.chance(0.6) and deal.intend()


def _between(deal: EgyptDeal) -> None:
    """Actions without money, such as signing in again."""
    story = deal.story
    who = story.rng.choice((deal.client, deal.freelancer))
    drawn = story.rng.random()
    if drawn < 0.05:
        who.change_password()
    elif drawn < 0.1:
        who.sign_out()
    elif drawn < 0.3:
        who.get("/payments/wallet/")
        who.get("/payments/transactions/")
        who.get("/payments/destinations/missing/?currency=EGP")
    elif drawn < 0.45:
        deal.manage_cards()
