"""Setting up a payout account and withdrawing to the bank."""
