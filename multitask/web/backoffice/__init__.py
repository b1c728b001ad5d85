"""The back office: what the staff sees of everybody's money, and what its roles may do about it."""
