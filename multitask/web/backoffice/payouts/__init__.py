"""Withdrawals and payout accounts: the lists and their pages."""
