"""Money out: connected accounts, transfers, availability, withdrawals, destinations and the payout budget."""
