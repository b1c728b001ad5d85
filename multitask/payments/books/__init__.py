"""Accounts and postings, history, audit trail, and the invariants that tie them to the escrows."""
