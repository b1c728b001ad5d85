"""Money in escrow: release, refunds, and disputes between the two sides."""
