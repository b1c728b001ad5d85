"""The pages in a real browser, against the running stack and the offline Stripe."""
