"""The names of accounts in the chart of accounts."""

import re

from multitask.payments.books import budget_postings, loss_postings, postings, statement_postings

# Ids in account codes, by what they are the id of; the first that fits names the account on the page.
PATTERNS = (
    (r"^escrow:\d+$", "escrow:{escrow}", postings.escrow_account),
    (r"^user:\d+:pending$", "user:{user}:pending", postings.pending_account),
    (r"^user:\d+:available$", "user:{user}:available", postings.available_account),
    (r"^user:\d+:withdrawing$", "user:{user}:withdrawing", postings.withdrawing_account),
    (r"^refund:\d+$", "refund:{refund}", postings.refund_account),
    (r"^unapplied:\d+$", "unapplied:{payment}", postings.unapplied_account),
    (r"^platform:fees$", "platform:fees", postings.fees_account),
    (r"^platform:processing_costs$", "platform:processing_costs", postings.costs_account),
    (r"^platform:bank$", "platform:bank", postings.own_bank_account),
    (r"^suspense:\w+$", "suspense:{provider}", statement_postings.suspense_account),
    (r"^provider:\w+:balance$", "provider:{provider}:balance", postings.provider_account),
    (r"^provider:\w+:budget$", "provider:{provider}:budget", postings.budget_account),
    (r"^provider:\w+:bank$", "provider:{provider}:bank", budget_postings.bank_account),
    (r"^platform:payout_fees$", "platform:payout_fees", budget_postings.payout_fees_account),
    (r"^platform:payout_taxes$", "platform:payout_taxes", budget_postings.payout_taxes_account),
    (r"^provider:\w+:account:\d+$", "provider:{provider}:account:{account}", postings.connected_account),
    (r"^chargeback:\d+$", "chargeback:{chargeback}", loss_postings.chargeback_account),
    (r"^contested:\d+$", "contested:{escrow}", loss_postings.contested_account),
    (r"^user:\d+:receivable$", "user:{user}:receivable", postings.receivable_account),
    (r"^user:\d+:paid_ahead$", "user:{user}:paid_ahead", postings.paid_ahead_account),
    (r"^platform:losses$", "platform:losses", loss_postings.losses_account),
    (r"^platform:dispute_fees$", "platform:dispute_fees", loss_postings.dispute_fees_account),
    (r"^platform:exchange$", "platform:exchange", postings.exchange_account),
    (r"^platform:adjustments$", "platform:adjustments", loss_postings.adjustments_account),
)


def name_of(code: str) -> str:
    """The name of an account on the page."""
    for pattern, name, _ in PATTERNS:
        if re.match(pattern, code):
            return name
    raise AssertionError(f"the chart does not know the account {code}")
