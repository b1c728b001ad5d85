"""The control API under `/_sandbox/`: what a test may do that nobody can do at Stripe."""
