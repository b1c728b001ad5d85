"""The local stack: embedded PostgreSQL, sandbox, worker and web server, and the story told through them."""
