"""The ledger: append-only double-entry bookkeeping. Only `post` writes to it, and the database enforces its rules.

`balance = credits - debits`: a positive leg credits an account, a negative one debits it, and the
legs of a transaction sum to zero in each currency. This module is the public interface of the package.
"""

from multitask.ledger.errors import (
    AccountMismatch,
    AlreadyReversed,
    IdempotencyConflict,
    InsufficientBalance,
    LedgerError,
    NotInTransaction,
    OutOfRange,
    PostingInvalid,
    Unbalanced,
    UnknownReversal,
    UnknownTransaction,
)
from multitask.ledger.periods import (
    Movement,
    Reading,
    all_entries_between,
    entries_between,
    movement,
    readings,
)
from multitask.ledger.posting import AccountRef, Leg, Posting, post
from multitask.ledger.reading import (
    Entry,
    Statement,
    Transaction,
    TrialBalanceRow,
    balance,
    balance_as_of,
    balances,
    closed_until,
    entries,
    statement,
    transaction,
    trial_balance,
    turnover,
)

__all__ = [
    "AccountMismatch",
    "AccountRef",
    "AlreadyReversed",
    "Entry",
    "IdempotencyConflict",
    "InsufficientBalance",
    "LedgerError",
    "Leg",
    "Movement",
    "NotInTransaction",
    "OutOfRange",
    "Posting",
    "PostingInvalid",
    "Reading",
    "Statement",
    "Transaction",
    "TrialBalanceRow",
    "Unbalanced",
    "UnknownReversal",
    "UnknownTransaction",
    "all_entries_between",
    "balance",
    "balance_as_of",
    "balances",
    "closed_until",
    "entries",
    "entries_between",
    "movement",
    "post",
    "readings",
    "statement",
    "transaction",
    "trial_balance",
    "turnover",
]
