"""An offline Stripe: its own HTTP server, its own durable state, its own record of all money."""
