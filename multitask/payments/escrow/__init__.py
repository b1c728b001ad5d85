"""Money in escrow: release, refund, disputes between the two sides."""
