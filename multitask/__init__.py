"""Escrow payments for a marketplace where clients hire freelancers for tasks."""
