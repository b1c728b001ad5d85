"""Stripe's failure codes of payouts and refunds, in sentences for the people concerned.

The sentences are stored in English and translated when they are shown.
"""

from typing import Final

from multitask.payments.provider import Failure


def gettext_noop(sentence: str) -> str:
    """Mark a sentence for translation. Django's function would import the settings, which import this module."""
    return sentence


_PAYOUTS: Final = {
    "account_closed": gettext_noop("The bank account has been closed."),
    "account_frozen": gettext_noop("The bank account is frozen."),
    "bank_account_restricted": gettext_noop("The bank account does not accept this kind of payment."),
    "bank_ownership_changed": gettext_noop("The bank account was switched off after its bank changed hands."),
    "could_not_process": gettext_noop("The bank could not process the payment."),
    "debit_not_authorized": gettext_noop("The bank account does not allow this transaction."),
    "declined": gettext_noop("The bank declined the payment."),
    "insufficient_funds": gettext_noop("The balance at the payment provider was too low."),
    "balance_insufficient": gettext_noop("The balance at the payment provider was too low."),
    "invalid_account_number": gettext_noop("The account number is not valid."),
    "incorrect_account_holder_name": gettext_noop("The account holder's name does not match the bank's records."),
    "incorrect_account_holder_address": gettext_noop("The account holder's address does not match the bank's."),
    "incorrect_account_holder_tax_id": gettext_noop("The account holder's tax number does not match the bank's."),
    "invalid_currency": gettext_noop("The bank account does not accept this currency."),
    "no_account": gettext_noop("The bank account could not be found."),
    "no_external_account_in_currency": gettext_noop("There is no bank account for this currency yet."),
    "payouts_not_allowed": gettext_noop("Payouts are switched off until your account's details are complete."),
    "unsupported_card": gettext_noop("The card does not accept payouts."),
}
# After these the same payout may succeed later; after the others of the list the bank details have to change first.
_PASSING: Final = frozenset({"could_not_process", "declined", "insufficient_funds", "balance_insufficient"})

_REFUNDS: Final = {
    "expired_or_canceled_card": gettext_noop("The card has expired or was cancelled."),
    "lost_or_stolen_card": gettext_noop("The card was reported lost or stolen."),
    "charge_already_refunded": gettext_noop("This payment was refunded already."),
    "charge_disputed": gettext_noop("The cardholder's bank has contested this payment."),
    "declined": gettext_noop("The card's bank declined the refund."),
}


def payout(code: str, message: str) -> Failure:
    """Explain a failed payout; `message` is what came with the code."""
    sentence = _PAYOUTS.get(code) or message or gettext_noop("The bank did not accept the payment.")
    return Failure(sentence, code in _PAYOUTS and code not in _PASSING)


def refund(code: str, message: str) -> Failure:
    """Explain a failed refund; `message` is what came with the code."""
    sentence = _REFUNDS.get(code) or message or gettext_noop("The card's bank could not take the refund.")
    return Failure(sentence, needs_new_details=False)
