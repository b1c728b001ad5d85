"""What the ledger refuses, each refusal with a stable code."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import DatabaseError

from multitask.errors import DomainError


class LedgerError(DomainError):
    """Any refusal of the ledger. `account` is the code of the account at fault, when one is."""

    code = "ledger_refused"
    message = "The ledger refused the posting."
    account: str | None = None


class NotInTransaction(LedgerError):
    """A posting outside `transaction.atomic()`, where it would be committed apart from its cause."""

    code = "not_in_transaction"
    message = "A posting belongs inside a database transaction."


class PostingInvalid(LedgerError):
    """A posting that is not well formed: a bad code, key or text, or a moment without a time zone."""

    code = "posting_invalid"
    message = "The posting is not well formed."


class Unbalanced(LedgerError):
    """Legs that do not sum to zero in each currency, or fewer than two of them."""

    code = "unbalanced"
    message = "The legs of a transaction sum to zero in each currency."


class InsufficientBalance(LedgerError):
    """A debit that would take `account` below its floor."""

    code = "insufficient_funds"
    message = "The account does not hold enough."


class IdempotencyConflict(LedgerError):
    """A key that an earlier, different posting of the same scope has used."""

    code = "idempotency_conflict"
    message = "The key was used for another request."


class UnknownReversal(LedgerError):
    """A reversal of a transaction that is not in the books."""

    code = "unknown_reversal"
    message = "There is no such transaction to reverse."


class AlreadyReversed(LedgerError):
    """A second reversal of one transaction."""

    code = "already_reversed"
    message = "The transaction is reversed already."


class AccountMismatch(LedgerError):
    """`account` exists with another floor or number of shards."""

    code = "account_mismatch"
    message = "The account exists with other terms."


class OutOfRange(LedgerError):
    """An account's turnover or balance would pass the largest number that the database keeps."""

    code = "balance_out_of_range"
    message = "The balance would be larger than can be kept."


class UnknownTransaction(LedgerError):
    """No transaction has this id."""

    code = "unknown_transaction"
    message = "There is no such transaction."


# The SQLSTATEs that the functions in sql/ raise, and PostgreSQL's own for a number out of range.
_BY_STATE: dict[str, type[LedgerError]] = {
    "ML002": Unbalanced,
    "ML004": IdempotencyConflict,
    "ML005": AccountMismatch,
    "ML006": InsufficientBalance,
    "22003": OutOfRange,
}
_BY_CONSTRAINT: dict[str, type[LedgerError]] = {
    "ledger_transaction_reverses": AlreadyReversed,
    "ledger_transaction_reverses_fkey": UnknownReversal,
}
_NAMES_ACCOUNT = (AccountMismatch, InsufficientBalance)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's refusals into LedgerErrors; deadlocks, timeouts and lost connections pass as they are."""
    try:
        yield
    except DatabaseError as error:
        cause = error.__cause__
        if not isinstance(cause, psycopg.Error):
            raise
        refusal = _BY_STATE.get(cause.sqlstate or "") or _BY_CONSTRAINT.get(cause.diag.constraint_name or "")
        if refusal is None:
            raise
        said = refusal(cause.diag.message_primary)
        if isinstance(said, _NAMES_ACCOUNT):
            said.account = cause.diag.message_detail
        raise said from error
