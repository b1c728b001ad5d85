"""Classify database errors: retry the transaction, fail, or treat its outcome as unknown."""

from typing import ClassVar

import psycopg
import psycopg_pool
from django.db import DatabaseError, Error, InterfaceError, OperationalError

# Deadlock, serialization failure or lock timeout: the transaction was rolled back completely.
CONTENTION = frozenset({"40P01", "40001", "55P03"})
# The server is shutting down or starting up.
SHUTDOWN = frozenset({"57P01", "57P02", "57P03", "57P05"})
# SQLSTATE classes that leave the outcome of COMMIT open: connection (08), operator (57), system (58), configuration
# file (F0), internal error (XX).
INDEFINITE_CLASSES = frozenset({"08", "57", "58", "XX", "F0"})
COMPLETION_UNKNOWN = "40003"
# Classes of errors that pass: connection, rolled back by contention, resources, operator intervention, system.
PASSING_CLASSES = frozenset({"08", "40", "53", "57", "58"})
# A lock timeout, a transaction that was idle for too long, and a server that is a standby since a failover.
PASSING = frozenset({"55P03", "25P03", "25P04", "25006"})
# Pool timeouts are not retried: the caller has already waited.
POOL_TIMEOUTS = (psycopg.errors.ConnectionTimeout, psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests)
WARNING = "01000"
REPLICATION_WAIT = "SyncRepWaitForLSN"


class OutcomeUnknown(OperationalError):
    """COMMIT was sent, and it is unknown whether it took effect or will survive a failover.

    The caller repeats the request with the same idempotency key; the transaction is never retried automatically.
    """

    code: ClassVar[str] = "outcome_unknown"


class NotCommitted(DatabaseError):
    """A statement failed and its error was suppressed: PostgreSQL would answer COMMIT with a rollback and no error."""


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a Django or psycopg error, or None if the server sent none."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def is_indefinite_commit(error: psycopg.Error) -> bool:
    """Return whether it is unknown, after this error of COMMIT, if it took effect."""
    state = error.sqlstate
    if state is None or state == COMPLETION_UNKNOWN or state[:2] in INDEFINITE_CLASSES:
        return True
    # A fatal error ends the session and does not tell whether the commit had already taken effect.
    return error.diag.severity_nonlocalized in {"FATAL", "PANIC"}


def is_replication_warning(notice: psycopg.errors.Diagnostic) -> bool:
    """Return whether a notice at COMMIT reports that the wait for a synchronous standby was cancelled.

    The transaction is then committed on this server, and is lost if this server is lost.
    """
    if notice.sqlstate not in {WARNING, *SHUTDOWN}:
        return False
    return notice.source_function == REPLICATION_WAIT or "synchronous replication" in (notice.message_primary or "")


def is_retryable(error: Error) -> bool:
    """Return whether a transaction that failed with this error was certainly rolled back and may run again."""
    if isinstance(error, OutcomeUnknown):
        return False
    return sqlstate(error) in CONTENTION or is_lost_connection(error)


def is_unavailable(error: BaseException) -> bool:
    """Return whether the database could not be reached or used for now, so that the same statement may work later.

    An error that is due to the statement or to a row is none of these: it would be the same at each attempt.
    """
    if isinstance(error, OSError | psycopg_pool.PoolTimeout | psycopg_pool.TooManyRequests | OutcomeUnknown):
        return True
    if not isinstance(error, Error | psycopg.Error):
        return False
    state = sqlstate(error)
    if state is None:
        return isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError)
    return state[:2] in PASSING_CLASSES or state in PASSING


def is_lost_connection(error: Error) -> bool:
    """Return whether the session is lost; a transaction that had not sent COMMIT is rolled back with it."""
    if not isinstance(error, OperationalError) or isinstance(error, OutcomeUnknown):
        return False
    state = sqlstate(error)
    cause = error.__cause__
    if state is None:
        return isinstance(cause, psycopg.OperationalError) and not isinstance(cause, POOL_TIMEOUTS)
    return state[:2] == "08" or state in SHUTDOWN or state in {"25P03", "25P04"}
