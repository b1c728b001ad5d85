"""The control API's calls that only an offline Stripe has."""
