"""Test cards: what each number does, and the ready-made `pm_card_…` and `tok_…` names for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Decline:
    """The reason that a charge fails for."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True)
class Card:
    """A test card.

    `decline`: charges fail so. `attachable`: can be saved although charges fail.
    `challenge`: "", "unless_saved" or "always" (3-D Secure). `dispute`: reason of the dispute that follows a charge.
    `refund`: "" at once, "later" pending first, "fails" succeeds and fails afterwards.
    """

    number: str
    name: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    attachable: bool = False
    challenge: str = ""
    dispute: str = ""
    refund: str = ""
    at_once: bool = False

    @property
    def last4(self) -> str:
        """Return the last four digits."""
        return self.number[-4:]


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", decline_code, message)


_SHORT = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
CARDS = (
    Card("4242424242424242", "visa"),
    Card("4000056655665556", "visa_debit", funding="debit"),
    Card("5555555555554444", "mastercard", "mastercard"),
    Card("2223003122003222", "mastercard_2", "mastercard"),
    Card("5200828282828210", "mastercard_debit", "mastercard", "debit"),
    Card("5105105105105100", "mastercard_prepaid", "mastercard", "prepaid"),
    Card("378282246310005", "amex", "amex"),
    Card("371449635398431", "amex_2", "amex"),
    Card("6011111111111117", "discover", "discover"),
    Card("3056930009020004", "diners", "diners"),
    Card("3566002020360505", "jcb", "jcb"),
    Card("6200000000000005", "unionpay", "unionpay"),
    Card("4000000760000002", "br", country="BR"),
    Card("4000001240000000", "ca", country="CA"),
    Card("4000008260000000", "gb", country="GB"),
    Card("4000002760000016", "de", country="DE"),
    Card("4000002500000003", "fr", country="FR"),
    Card("4000007840000001", "ae", country="AE"),
    Card("4000006820000007", "sa", country="SA"),
    Card("4000000000000077", "bypassPending", at_once=True),
    Card("4000000000000002", "chargeDeclined", decline=_declined("generic_decline")),
    Card("4000000000000002", "visa_chargeDeclined", decline=_declined("generic_decline")),
    Card("4000000000009995", "chargeDeclinedInsufficientFunds", decline=_SHORT),
    Card("4000000000009995", "visa_chargeDeclinedInsufficientFunds", decline=_SHORT),
    Card("4000000000009987", "chargeDeclinedLostCard", decline=_declined("lost_card")),
    Card("4000000000009987", "visa_chargeDeclinedLostCard", decline=_declined("lost_card")),
    Card("4000000000009979", "chargeDeclinedStolenCard", decline=_declined("stolen_card")),
    Card("4000000000009979", "visa_chargeDeclinedStolenCard", decline=_declined("stolen_card")),
    Card(
        "4000000000006975",
        "chargeDeclinedVelocityLimitExceeded",
        decline=_declined("card_velocity_exceeded", "Your card was declined for making repeated attempts too often."),
    ),
    Card(
        "4000000000000069",
        "chargeDeclinedExpiredCard",
        decline=Decline("expired_card", None, "Your card has expired."),
    ),
    Card(
        "4000000000000127",
        "chargeDeclinedIncorrectCvc",
        decline=Decline("incorrect_cvc", None, "Your card's security code is incorrect."),
    ),
    Card(
        "4000000000000119",
        "chargeDeclinedProcessingError",
        decline=Decline("processing_error", None, "An error occurred while processing your card. Try again later."),
    ),
    Card("4100000000000019", "chargeDeclinedFraudulent", decline=_declined("fraudulent")),
    Card("4000000000000341", "chargeCustomerFail", decline=_declined("generic_decline"), attachable=True),
    Card("4000002500003155", "authenticationRequiredOnSetup", country="FR", challenge="unless_saved"),
    Card("4000002760003184", "authenticationRequired", country="DE", challenge="always"),
    Card("4000000000003220", "threeDSecure2Required", challenge="always"),
    Card("4000000000003063", "threeDSecureRequired", challenge="always"),
    Card(
        "4000008400001629",
        "threeDSecureRequiredChargeDeclined",
        challenge="always",
        decline=_declined("generic_decline"),
    ),
    Card("4000000000000259", "createDispute", dispute="fraudulent"),
    Card("4000000000002685", "createDisputeProductNotReceived", dispute="product_not_received"),
    Card("4000000000001976", "createDisputeInquiry", dispute="inquiry"),
    Card("4000000000005423", "createIssuerFraudRecord", dispute="early_fraud_warning"),
    Card("4000000000007726", "pendingRefund", refund="later"),
    Card("4000000000005126", "refundFail", refund="fails"),
)
BY_NAME = {card.name: card for card in CARDS}
# The first name of a number is the one that a typed-in number gets.
BY_NUMBER = {card.number: card for card in reversed(CARDS)}
WRONG_NUMBER = "4242424242424241"
# A number that is a card's but not one of the test cards; Stripe's test mode declines those too.
NOT_A_TEST_CARD = Card(
    "4000000000000000", "notATestCard", decline=_declined("test_mode_live_card", "Use one of the test cards here.")
)


def named(name: str) -> Card:
    """Return a card by the name that a stored payment method remembers."""
    return NOT_A_TEST_CARD if name == NOT_A_TEST_CARD.name else BY_NAME[name]


def ready_made(ident: str) -> Card | None:
    """Return the card behind `pm_card_visa`, `tok_visa` and their like, or None."""
    for prefix in ("pm_card_", "tok_"):
        if ident.startswith(prefix):
            return BY_NAME.get(ident.removeprefix(prefix))
    return None


def valid_number(number: str) -> bool:
    """Return whether a number has a right length and check digit."""
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
        return False
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
