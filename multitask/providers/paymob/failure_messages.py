"""Paymob's failure codes of payments, refunds and payouts, in sentences for the people concerned.

The sentences are stored in English and translated when they are shown. The codes of cards are those of the gateways
behind Paymob; the codes of payouts are (secondary).
"""

from typing import Final

from multitask.payments.provider import Failure


def gettext_noop(sentence: str) -> str:
    """Mark a sentence for translation. Django's function would import the settings, which import this module."""
    return sentence


_DECLINED: Final = gettext_noop("The payment was declined. Try again, or use another way to pay.")
_PAYMENTS: Final = {
    "INSUFFICIENT_FUNDS": gettext_noop("The card or wallet does not have enough money."),
    "EXPIRED_CARD": gettext_noop("The card has expired."),
    "AUTHENTICATION_FAILED": gettext_noop(
        "Your bank could not confirm that it was you. Try again, or use another card."
    ),
    "TIMED_OUT": gettext_noop("The payment took too long. Please try again."),
}

_NOT_REFUNDED: Final = gettext_noop("The payment provider could not make the refund.")
_REFUNDS: Final = {
    "refund_not_possible": gettext_noop("A payment at a kiosk cannot be refunded the way it was made."),
    "charge_already_refunded": gettext_noop("This payment was refunded already."),
    "declined": gettext_noop("The card's bank declined the refund."),
}

_NOT_PAID_OUT: Final = gettext_noop("The bank or wallet did not accept the payment.")
_NO_WALLET: Final = gettext_noop("There is no wallet for this mobile number.")
_NOT_VALID: Final = gettext_noop("The bank or wallet does not know this account, or the details are not complete.")
_OVER_LIMIT: Final = gettext_noop("The payment is above a limit of the wallet or the bank.")
# Sentences, and whether the details have to change before the same payout can succeed.
_PAYOUTS: Final = {
    "618": (_NO_WALLET, True),
    "90040": (_NO_WALLET, True),
    "610": (gettext_noop("This wallet cannot receive payments."), True),
    "583": (_OVER_LIMIT, False),
    "6061": (_OVER_LIMIT, False),
    "6065": (_OVER_LIMIT, False),
    "604": (gettext_noop("The amount is below the minimum of the wallet."), False),
    "amount_too_small": (gettext_noop("The amount is below the minimum for this way of paying out."), False),
    "amount_too_large": (gettext_noop("The amount is above the maximum for this way of paying out."), False),
    "invalid_destination": (_NOT_VALID, True),
}


def payment(code: str) -> str:
    """Explain a declined payment to the payer."""
    return _PAYMENTS.get(code, _DECLINED)


def refund(code: str) -> str:
    """Explain a failed refund."""
    return _REFUNDS.get(code, _NOT_REFUNDED)


def payout(code: str, message: str) -> Failure:
    """Explain a failed payout; `message` is what came with the code, and not shown: it may be in any language."""
    sentence, needs_new_details = _PAYOUTS.get(code, (_NOT_PAID_OUT, False))
    return Failure(sentence, needs_new_details)
