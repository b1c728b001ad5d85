"""Chargebacks, fraud warnings, refunds after release, reversals, receivables, adjustments."""
