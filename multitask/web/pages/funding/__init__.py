"""Paying into escrow."""
