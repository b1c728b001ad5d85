"""PostgreSQL for money: a Django backend that never calls a lost commit a failure, and transactions that retry.

`ENGINE` is "multitask.database". `run` and `transactional` are how commands open their transaction.
"""

from multitask.database.errors import OutcomeUnknown
from multitask.database.transactions import in_transaction, run, transactional

__all__ = ["OutcomeUnknown", "in_transaction", "run", "transactional"]
