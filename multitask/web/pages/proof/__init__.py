"""Proof of escrow: the public page with the signed statements, and each person's own proof."""
