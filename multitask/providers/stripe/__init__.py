"""Stripe: the only room that imports its SDK."""
