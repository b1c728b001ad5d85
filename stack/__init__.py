"""The local stack: embedded PostgreSQL, sandbox, worker and web server, and a story that exercises them over HTTP."""
