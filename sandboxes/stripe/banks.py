"""Test bank accounts: what a payout to each number does."""

from __future__ import annotations

# Number of the bank account -> failure code of a payout to it.
FAILING = {
    "000111111116": "no_account",
    "000111111113": "account_closed",
    "000222222227": "insufficient_funds",
    "000333333335": "debit_not_authorized",
    "000444444440": "invalid_currency",
}
# Fails for instant payouts only.
FAILING_INSTANT = {"000888888883": "could_not_process"}
# The sandbox's own: the payout is paid, and the bank returns it afterwards.
PAID_THEN_FAILED = {"000555555559": "account_closed"}
# Every reason that a payout can fail for, and what the sandbox says then.
MESSAGES = {
    "account_closed": "The bank account has been closed.",
    "account_frozen": "The bank account has been frozen.",
    "bank_account_restricted": "The bank account does not take payouts of this kind or number.",
    "bank_ownership_changed": "The bank account no longer belongs to the bank that it did.",
    "could_not_process": "The bank could not process this payout.",
    "debit_not_authorized": "Debit transactions are not approved on the bank account.",
    "declined": "The bank has declined this payout.",
    "incorrect_account_holder_address": "The address of the account holder is not the one that the bank knows.",
    "incorrect_account_holder_name": "The name of the account holder is not the one that the bank knows.",
    "incorrect_account_holder_tax_id": "The tax number of the account holder is not the one that the bank knows.",
    "insufficient_funds": "The account has insufficient funds to cover the payout.",
    "invalid_account_number": "The bank account number is not valid.",
    "invalid_currency": "The bank was unable to process this payout because of its currency.",
    "no_account": "The bank account details on file are probably incorrect. No bank account could be located.",
    "unsupported_card": "The bank does not take payouts to this card.",
}
OK_NUMBER = "000123456789"
US_ROUTING = "110000000"
# `btok_` tokens ready to use, as Stripe's test tokens are.
TOKENS = {
    "btok_us_verified": ("US", "usd", US_ROUTING, OK_NUMBER),
    "btok_us": ("US", "usd", US_ROUTING, OK_NUMBER),
    "btok_us_verified_noAccount": ("US", "usd", US_ROUTING, "000111111116"),
    "btok_us_noAccount": ("US", "usd", US_ROUTING, "000111111116"),
    "btok_us_accountClosed": ("US", "usd", US_ROUTING, "000111111113"),
    "btok_us_paidThenFailed": ("US", "usd", US_ROUTING, "000555555559"),
}


def failure(number: str, *, instant: bool) -> str | None:
    """Return why a payout to this number fails, or None."""
    return FAILING.get(number) or (FAILING_INSTANT.get(number) if instant else None)
