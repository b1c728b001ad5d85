"""A PostgreSQL backend for Django that reports a commit of unknown outcome as unknown, and transactions with retries.

`ENGINE` is "multitask.database". `run` and `transactional` open a command's transaction, `snapshot` that of a read
which needs several statements, `run_on_snapshot` that of a command which writes down what such a read finds,
`run_together` that of a batch.
`Statement` is a hand-written SELECT.
"""

from multitask.database.errors import OutcomeUnknown
from multitask.database.statements import Statement
from multitask.database.transactions import (
    TOGETHER,
    in_transaction,
    run,
    run_on_snapshot,
    run_together,
    snapshot,
    transactional,
)

__all__ = [
    "TOGETHER",
    "OutcomeUnknown",
    "Statement",
    "in_transaction",
    "run",
    "run_on_snapshot",
    "run_together",
    "snapshot",
    "transactional",
]
