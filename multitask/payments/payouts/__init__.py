"""Money out: connected accounts, transfers, availability, withdrawals."""
