"""The provider's statement and its comparison with the ledger."""
