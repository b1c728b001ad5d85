"""Payments in: customers, saved cards, payments, and money that fits no escrow."""
