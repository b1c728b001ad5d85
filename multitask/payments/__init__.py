"""The rules of escrow: funding, release, refunds, disputes, withdrawals, onboarding and the wallet."""
