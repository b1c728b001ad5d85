"""A PostgreSQL backend for Django that reports a commit of unknown outcome as unknown, and transactions with retries.

`ENGINE` is "multitask.database". Commands open their transaction with `run` or `transactional`.
"""

from multitask.database.errors import OutcomeUnknown
from multitask.database.transactions import in_transaction, run, transactional

__all__ = ["OutcomeUnknown", "in_transaction", "run", "transactional"]
