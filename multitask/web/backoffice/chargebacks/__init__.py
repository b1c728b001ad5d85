"""Chargebacks, their evidence and losses, and early fraud warnings."""
