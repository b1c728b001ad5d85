"""An offline Stripe: what Stripe answers, on top of the kit that every offline provider shares."""
