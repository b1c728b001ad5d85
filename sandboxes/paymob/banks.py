"""Where payouts go: issuers, banks, and how a payout ends.

The issuers and their smallest amounts, and the codes, are Paymob's (codes and banks: known from a copy of its payouts
service of about 2022). Which destination ends how is this sandbox's own: the last digits of a wallet's number or of an
account decide, unless a control call does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WALLETS = ("vodafone", "etisalat", "orange", "bank_wallet")
BY_ACCOUNT = ("bank_card", "instant_bank")
ISSUERS = WALLETS + BY_ACCOUNT
# Vodafone and Etisalat answer with the result; the others answer that the payout was received.
AT_ONCE = ("vodafone", "etisalat")
# References are unique within a store, not over both, and callbacks are sent for the second alone.
SECOND_STORE = ("bank_wallet", "bank_card", "orange", "instant_bank")
TYPES = ("salary", "credit_card", "prepaid_card", "cash_transfer")
LEAST = {"bank_card": 500, "instant_bank": 11_200}
LEAST_OTHERS = 100
MOST_PER_PAYOUT = 6_000_000
CODES = (
    "AUB", "CITI", "MIDB", "BDC", "HSBC", "CAE", "EGB", "UB", "QNB", "BBE", "ARAB", "ENBD", "ABK", "NBK", "ABC", "FAB",
    "ADIB", "CIB", "HDB", "MISR", "AAIB", "EALB", "EDBE", "FAIB", "BLOM", "ADCB", "BOA", "SAIB", "NBE", "ABRK", "POST",
    "NSB", "IDB", "SCB", "MASH", "AIB", "AUDI", "GASC", "EGPA", "ARIB", "PDAC", "NBG", "CBE",
)  # fmt: skip

RECEIVED, PROCESSING, AWAITING, SETTLED = "8000", "8111", "8222", "8333"
STEPS = (RECEIVED, PROCESSING, AWAITING, SETTLED)
DESCRIPTIONS = {
    "200": "Transferred successfully",
    RECEIVED: "Transaction received and validated successfully. Dispatched for being processed",
    PROCESSING: "Transaction is being processed",
    AWAITING: "Transaction was sent and awaits the receiving bank",
    SETTLED: "Transaction was settled by the receiving bank",
    "501": "Internal Error",
    "583": "Exceeded Maximum Limit Per Single Transaction",
    "610": "User Not Eligible To Perform Transaction",
    "618": "Recipient Is Unregistered",
    "6061": "Exceeded Transaction Amount Limit",
    "6065": "Exceeded Transaction Count Limit",
    "90040": "Recipient is not subscribed to Etisalat Cash",
    "000001": "Rejected: the account does not exist",
    "000100": "Returned: the account is closed",
}
UNKNOWN_CODE, RETURNED_CODE = "501", "000100"
FAILURES = {"vodafone": "618", "etisalat": "90040"}
REJECTED = "000001"


@dataclass(frozen=True)
class Outcome:
    """How a payout ends: successful, failed, returned, or for ever pending or unknown. `waits`: it is pending first."""

    end: str
    waits: bool


OUTCOMES = {
    "succeeds": Outcome("successful", waits=False),
    "pends": Outcome("successful", waits=True),
    "fails": Outcome("failed", waits=False),
    "pends_then_fails": Outcome("failed", waits=True),
    "returns": Outcome("returned", waits=False),
    "pends_then_returns": Outcome("returned", waits=True),
    "unknown": Outcome("unknown", waits=False),
    "stays_pending": Outcome("pending", waits=True),
    "exceeds_budget": Outcome("refused", waits=False),
}
# A destination that ends with six zeros and one of these digits.
MAGIC = {
    "1": "succeeds", "2": "pends", "3": "fails", "4": "pends_then_fails", "5": "returns", "6": "unknown",
    "7": "exceeds_budget", "8": "pends_then_returns", "9": "stays_pending",
}  # fmt: skip


def outcome(issuer: str, destination: str) -> str:
    """Return the name of the outcome that a destination has by its digits, or that its issuer has."""
    magic = re.search(r"000000([1-9])$", destination)
    if magic:
        return MAGIC[magic[1]]
    return "succeeds" if issuer in AT_ONCE else "pends"


def failure(issuer: str) -> str:
    """Return the code with which a payout fails unless another is chosen."""
    return FAILURES.get(issuer, REJECTED)


def described(code: str) -> str:
    """Return what a code means."""
    return DESCRIPTIONS.get(code, f"Failed with code {code}")
