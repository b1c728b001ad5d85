"""The errors of the ledger, each with a stable code."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import DatabaseError

from multitask.errors import DomainError


class LedgerError(DomainError):
    """The base of all errors of the ledger. `account` is the code of the account that caused it, if there is one."""

    code = "ledger_refused"
    message = "The ledger refused the posting."
    account: str | None = None


class NotInTransaction(LedgerError):
    """A posting outside `transaction.atomic()`: it would be committed separately from the change that it belongs to."""

    code = "not_in_transaction"
    message = "A posting must be inside a database transaction."


class PostingInvalid(LedgerError):
    """A malformed posting: an invalid code, key or text, or a time without a time zone."""

    code = "posting_invalid"
    message = "The posting is not well formed."


class Unbalanced(LedgerError):
    """Legs that do not sum to zero in each currency, or fewer than two legs."""

    code = "unbalanced"
    message = "The legs of a transaction must sum to zero in each currency."


class InsufficientBalance(LedgerError):
    """A debit that would take `account` below its floor."""

    code = "insufficient_funds"
    message = "The account does not hold enough."


class IdempotencyConflict(LedgerError):
    """A key that an earlier, different posting of the same scope used."""

    code = "idempotency_conflict"
    message = "The key was used for another request."


class UnknownReversal(LedgerError):
    """A reversal of a transaction that does not exist."""

    code = "unknown_reversal"
    message = "There is no such transaction to reverse."


class AlreadyReversed(LedgerError):
    """A second reversal of one transaction."""

    code = "already_reversed"
    message = "The transaction was already reversed."


class AccountMismatch(LedgerError):
    """`account` exists with another floor or another number of shards."""

    code = "account_mismatch"
    message = "The account exists with other terms."


class OutOfRange(LedgerError):
    """The turnover or balance of an account would exceed the range of a bigint column."""

    code = "balance_out_of_range"
    message = "The balance would be larger than the database can store."


class UnknownTransaction(LedgerError):
    """No transaction has this id."""

    code = "unknown_transaction"
    message = "There is no such transaction."


# The SQLSTATEs that the functions in sql/ raise, and the one of PostgreSQL for a number out of range.
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
    """Translate database errors into LedgerErrors; deadlocks, timeouts and lost connections are not translated."""
    try:
        yield
    except DatabaseError as error:
        cause = error.__cause__
        if not isinstance(cause, psycopg.Error):
            raise
        refusal = _BY_STATE.get(cause.sqlstate or "") or _BY_CONSTRAINT.get(cause.diag.constraint_name or "")
        if refusal is None:
            raise
        translation = refusal(cause.diag.message_primary)
        if isinstance(translation, _NAMES_ACCOUNT):
            translation.account = cause.diag.message_detail
        raise translation from error
