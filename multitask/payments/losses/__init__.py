"""Chargebacks."""
