"""Accounts and postings, history, audit trail, and the invariants between them and the escrows."""
