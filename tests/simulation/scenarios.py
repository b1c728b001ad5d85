"""The scenarios of a task: from hiring to the payout, or to a refund, dispute or cancellation."""

from tests.simulation.conditions import ACCOUNTS, DAY, HOUR, MINUTE
from tests.simulation.deal import Deal
from tests.simulation.situations import Situations

GOOD_CARDS = ("visa",) * 6 + ("bypassPending", "pendingRefund", "refundFail")
BAD_CARDS = ("chargeDeclined", "chargeDeclinedInsufficientFunds", "threeDSecureRequiredChargeDeclined")
CHALLENGED = ("authenticationRequired", "threeDSecure2Required")
# The currencies in which tasks are refunded in parts.
IN_PARTS = ("USD", "EGP")
PAUSES = (0.0, 1.0, 30.0, 30.0, 600.0, 5 * HOUR)


def play(deal: Deal, situations: Situations) -> None:
    """Play one task to an end."""
    story = deal.story
    if not deal.hire():
        return
    onboards_at = story.rng.choice(("first", "middle", "late", "never"))
    if onboards_at == "first":
        deal.onboard()
    if story.chance(0.2):
        deal.save_card()
    if not _paid(deal):
        return
    if onboards_at == "middle":
        deal.onboard()
    mischief(deal)
    _between(deal)
    _loses(deal)
    situations.strike(deal)
    story.rng.choice((works, works, works, works, called_off))(deal)
    if onboards_at == "late":
        deal.onboard()
    _loses(deal)
    situations.strike(deal)
    _cash(deal)
    situations.strike(deal)
    _comes_back(deal)
    _goes_on(deal, situations)


def _loses(deal: Deal) -> None:
    """In some stories money is contested at this point, or somebody moves it in the provider's dashboard."""
    if deal.story.loses and deal.story.chance(0.25):
        deal.losses.strike()


def _rest(deal: Deal) -> None:
    deal.story.rest(deal.story.rng.choice(PAUSES))


def _paid(deal: Deal) -> bool:
    """Pay, or cancel before paying."""
    story = deal.story
    if story.chance(0.06):
        deal.step(deal.client, "cancel")
        return False
    if not deal.intend():
        return False
    if story.chance(0.04) and not _forgets(deal):
        return deal.seen == "funded"
    if story.chance(0.3):
        deal.pay(story.rng.choice(BAD_CARDS))
    if story.chance(0.08):
        _rest(deal)
        # The payment may be under way: then it is sent back.
        if story.chance(0.5):
            story.also(deal.client.name, lambda: deal.pay("visa"))
        deal.step(deal.client, "cancel")
        return False
    for _ in range(3):
        deal.pay(story.rng.choice(GOOD_CARDS + GOOD_CARDS + CHALLENGED))
        if deal.until("funded", "cancelled", longest=HOUR):
            return deal.seen == "funded"
        if not deal.intend():
            return False
    return deal.until("funded", longest=2 * DAY)


def _forgets(deal: Deal) -> bool:
    """The client forgets to pay until the escrow is closed; return whether there is a new one to pay."""
    story = deal.story
    story.rest(14 * DAY + story.rng.choice((-MINUTE, 0.0, MINUTE)))
    if story.chance(0.4):
        # At the same moment the client remembers.
        story.also(deal.client.name, lambda: deal.pay("visa"))
    deal.until("cancelled", "funded", longest=3 * DAY)
    return deal.seen == "cancelled" and story.chance(0.6) and deal.intend()


def works(deal: Deal) -> None:
    """Start, deliver, and then one of several endings."""
    story = deal.story
    if story.chance(0.85):
        deal.step(deal.freelancer, "start")
    _rest(deal)
    if story.chance(0.1):
        called_off(deal)
        return
    if not deal.step(deal.freelancer, "deliver") and not deal.step(deal.freelancer, "start"):
        return
    mischief(deal)
    _rest(deal)
    story.rng.choice((_happy, _happy, _happy, _silent, _asks_back, _asks_back, _quarrel))(deal)


def _happy(deal: Deal) -> None:
    deal.step(deal.client, "complete")
    _rest(deal)
    mischief(deal)
    _loses(deal)
    for _ in range(3):
        # A chargeback holds the money until the bank has decided, and the finance staff has booked a loss.
        if deal.release() or not deal.story.loses:
            break
        deal.story.rest(3 * DAY)


def _silent(deal: Deal) -> None:
    """The client does not respond, so the money is released automatically."""
    if deal.story.chance(0.3):
        deal.step(deal.client, "complete")
    deal.story.rest(14 * DAY + HOUR)
    deal.until("released", "refunded", "disputed", longest=DAY)


def _asks_back(deal: Deal) -> None:
    """The client requests a refund, which the freelancer may answer."""
    story = deal.story
    part = story.rng.choice((None, None, deal.price // 2 - deal.price // 2 % 1000))
    part = None if deal.currency not in IN_PARTS or not part else part
    number = deal.refund(deal.client, part)
    if not number:
        return
    _rest(deal)
    answer = story.rng.choice(("accept", "accept", "refuse", "withdraw", "silence"))
    if answer == "silence":
        story.rest(7 * DAY + HOUR)
    elif answer == "withdraw":
        deal.answer_refund(deal.client, number, "withdraw")
        _happy(deal)
    else:
        if story.chance(story.conditions.double):
            other = "refuse" if answer == "accept" else "accept"
            story.also(deal.freelancer.name, lambda: deal.freelancer.post(f"/payments/refunds/{number}/{other}/"))
        deal.answer_refund(deal.freelancer, number, answer)
    if part and answer == "accept" and deal.until("funded", longest=HOUR):
        story.rest(story.rng.choice((HOUR, DAY)))
        _happy(deal)


def _quarrel(deal: Deal) -> None:
    """A dispute that staff settles."""
    deal.dispute(deal.story.rng.choice((deal.client, deal.freelancer)))
    deal.until("released", "refunded", longest=3 * DAY)


def called_off(deal: Deal) -> None:
    """The task is cancelled and the money refunded."""
    story = deal.story
    who = story.rng.choice((deal.client, deal.freelancer))
    if not deal.step(who, "cancel"):
        deal.step(deal.freelancer, "cancel")
    _rest(deal)
    amount = story.rng.choice((None, None, deal.price // 2)) if deal.currency in IN_PARTS else None
    deal.refund(story.rng.choice((deal.client, deal.client, deal.freelancer)), amount)


def _cash(deal: Deal) -> None:
    """Wait until the money is available, and withdraw it."""
    story = deal.story
    if deal.state() != "released":
        return
    if deal.currency != "USD" and story.chance(0.5):
        deal.add_bank()
    story.rest(2 * DAY + HOUR * story.rng.random())
    for _ in range(3):
        if deal.withdraw():
            break
        story.rest(DAY)
    if story.chance(0.3):
        deal.freelancer.must_not("POST", "/payments/withdrawals/create/", {"amount": "1000000.00", "currency": "USD"})


def _comes_back(deal: Deal) -> None:
    """After the payout, in some stories, the freelancer gives money back or a bank takes it."""
    story = deal.story
    if not story.loses or deal.state() != "released":
        return
    story.rest(story.rng.choice((HOUR, DAY, 5 * DAY)))
    if story.chance(0.25):
        deal.refund_late()
        _rest(deal)
    _loses(deal)


def _goes_on(deal: Deal, situations: Situations) -> None:
    """In some stories the payee's account changes after all that; what is left is withdrawn from what replaces it."""
    story = deal.story
    if not story.befalls(ACCOUNTS, 0.6) or deal.state() != "released":
        return
    situations.strike(deal)
    for _ in range(3):
        deal.renew()
        story.rest(story.fate.choice((HOUR, 2 * DAY)))
        if deal.withdraw():
            return


def _between(deal: Deal) -> None:
    """Actions without money, such as signing in again."""
    story = deal.story
    who = story.rng.choice((deal.client, deal.freelancer))
    drawn = story.rng.random()
    if drawn < 0.05:
        who.change_password()
    elif drawn < 0.1:
        who.sign_out()
    elif drawn < 0.2:
        deal.save_card()
    elif drawn < 0.4:
        who.get("/payments/wallet/")
        who.get("/payments/transactions/")


def mischief(deal: Deal) -> None:
    """Try forbidden actions."""
    story, escrow, task = deal.story, deal.escrow_path, deal.task
    while story.chance(story.conditions.mischief):
        tries = (
            (deal.freelancer, f"{escrow}release/", {}),
            (deal.stranger, f"{escrow}release/", {}),
            (deal.stranger, f"{escrow}refund/", {"reason": "Mine"}),
            (deal.client, f"{escrow}refund/", {"reason": "More", "amount": "99999999.00"}),
            (deal.client, f"{escrow}refund/", {"reason": "Less", "amount": "-1.00"}),
            (deal.client, f"{escrow}refund/", {"reason": "None", "amount": "0.00"}),
            (deal.client, f"{escrow}refund/", {"reason": "Odd", "amount": "1.00000001"}),
            (deal.stranger, f"{escrow}dispute/", {"reason": "Why not"}),
            (deal.stranger, f"/api/tasks/{task}/complete/", {}),
            (deal.freelancer, f"/api/tasks/{task}/complete/", {}),
            (deal.client, f"/api/tasks/{task}/deliver/", {}),
            (deal.client, "/payments/withdrawals/create/", {"amount": "1.00"}),
            (deal.stranger, "/payments/intents/create/", {"application_id": deal.application}),
            (deal.freelancer, "/payments/intents/create/", {"application_id": deal.application}),
            (deal.client, "/payments/connect/create/", {}),
        )
        who, path, body = story.rng.choice(tries)
        who.must_not("POST", path, body)
