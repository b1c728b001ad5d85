"""The hosted pages that a payer sees."""
