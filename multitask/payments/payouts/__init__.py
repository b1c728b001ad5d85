"""Money out: accounts at the provider, transfers, availability, withdrawals."""
