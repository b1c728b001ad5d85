"""Payout destinations and identities of payees."""
