"""A PostgreSQL backend for Django that reports a commit of unknown outcome as unknown, and transactions with retries.

`ENGINE` is "multitask.database". `run` and `transactional` open a command's transaction, `snapshot` that of a read
which needs several statements.
"""

from multitask.database.errors import OutcomeUnknown
from multitask.database.transactions import in_transaction, run, snapshot, transactional

__all__ = ["OutcomeUnknown", "in_transaction", "run", "snapshot", "transactional"]
