"""What an error of the database means for the transaction: retry it, give it up, or call its outcome unknown."""

from typing import ClassVar

import psycopg
import psycopg_pool
from django.db import DatabaseError, Error, OperationalError

# The database chose this transaction to fail, or a lock was not to be had in time; nothing of it remains.
CONTENTION = frozenset({"40P01", "40001", "55P03"})
# The server shuts down or starts up.
SHUTDOWN = frozenset({"57P01", "57P02", "57P03", "57P05"})
# At COMMIT these say nothing definite: connection (08), operator (57), system (58), internal error (XX).
INDEFINITE_CLASSES = frozenset({"08", "57", "58", "XX", "F0"})
COMPLETION_UNKNOWN = "40003"
# Whoever waited this long for a connection does not wait again.
WAITED_IN_VAIN = (psycopg.errors.ConnectionTimeout, psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests)
WARNING = "01000"
REPLICATION_WAIT = "SyncRepWaitForLSN"


class OutcomeUnknown(OperationalError):
    """COMMIT was sent and it is not known whether it took effect, or whether it will last.

    The caller asks again with the same idempotency key; nobody retries it blindly.
    """

    code: ClassVar[str] = "outcome_unknown"


class NotCommitted(DatabaseError):
    """A statement of the transaction had failed and the error was swallowed: PostgreSQL would roll back in silence."""


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a Django or psycopg error, or None when the server sent none."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def is_indefinite_commit(error: psycopg.Error) -> bool:
    """Whether an error that COMMIT answered leaves open if it took effect."""
    state = error.sqlstate
    if state is None or state == COMPLETION_UNKNOWN or state[:2] in INDEFINITE_CLASSES:
        return True
    # A fatal message ends the session, whatever it says; what had been reached before is not told.
    return error.diag.severity_nonlocalized in {"FATAL", "PANIC"}


def is_replication_warning(notice: psycopg.errors.Diagnostic) -> bool:
    """Whether a notice at COMMIT says that the wait for a synchronous standby was given up.

    The commit stands on this server and may be lost with it.
    """
    if notice.sqlstate not in {WARNING, *SHUTDOWN}:
        return False
    return notice.source_function == REPLICATION_WAIT or "synchronous replication" in (notice.message_primary or "")


def is_retryable(error: Error) -> bool:
    """Whether a transaction that failed with this, before or at its COMMIT, surely left nothing and may run again."""
    if isinstance(error, OutcomeUnknown):
        return False
    return sqlstate(error) in CONTENTION or is_lost_connection(error)


def is_lost_connection(error: Error) -> bool:
    """Whether the session is gone. A transaction that had not sent COMMIT is rolled back with it."""
    if not isinstance(error, OperationalError) or isinstance(error, OutcomeUnknown):
        return False
    state = sqlstate(error)
    cause = error.__cause__
    if state is None:
        return isinstance(cause, psycopg.OperationalError) and not isinstance(cause, WAITED_IN_VAIN)
    return state[:2] == "08" or state in SHUTDOWN or state in {"25P03", "25P04"}
