"""The ledger's accounts and transactions, and the audit trail. Read-only."""
