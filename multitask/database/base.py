"""Django's PostgreSQL backend, with a COMMIT that detects unknown outcomes, and safe for transaction pooling."""

import select
from typing import Any, Final

import psycopg
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from multitask.database import errors

# Statements are only prepared where a cursor asks for it.
NEVER_BY_ITSELF: Final = 2**31 - 1


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose COMMIT is either definite or raises `OutcomeUnknown`."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        """Force the settings that transaction pooling and failover need."""
        settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
        # Connections of a pool are checked in `get_new_connection`.
        settings_dict["CONN_HEALTH_CHECKS"] = not settings_dict["OPTIONS"].get("pool")
        super().__init__(settings_dict, alias)

    def get_connection_params(self) -> dict[str, Any]:
        """Detect a dead peer: TCP keepalive starts after 15 s and fails by 45 s.

        With `PREPARE`, a `Statement` is prepared; statements of the ORM never are, since their values are part of them.
        After a rollback psycopg forgets what it has prepared, and sends DEALLOCATE ALL: a pooler has to understand it.
        """
        quick = {"connect_timeout": 10, "keepalives_idle": 15, "keepalives_interval": 10, "keepalives_count": 3}
        threshold = NEVER_BY_ITSELF if self.settings_dict.get("PREPARE") else None
        return {**quick, "tcp_user_timeout": 30_000, **super().get_connection_params(), "prepare_threshold": threshold}

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        """Return a new connection, or one of the pool that is not closed: others are returned and replaced.

        A query to the server is only needed if it has sent something, which is all that a closed connection shows.
        """
        while True:
            connection: psycopg.Connection[Any] = super().get_new_connection(conn_params)
            if self.pool is None or _is_quiet(connection) or _answers(connection):
                return connection
            self.pool.putconn(connection)

    def _commit(self) -> None:
        """Commit. Raises `OutcomeUnknown`, `NotCommitted`, or Django's error if the commit was definitely refused."""
        connection: psycopg.Connection[Any] | None = self.connection
        if connection is not None and connection.info.transaction_status == TransactionStatus.INERROR:
            raise errors.NotCommitted("a statement of this transaction failed, so it cannot be committed")
        warnings: list[str] = []

        def watch(notice: psycopg.errors.Diagnostic) -> None:
            if errors.is_replication_warning(notice):
                warnings.append(notice.message_primary or "the wait for synchronous replication was cancelled")

        if connection is not None:
            connection.add_notice_handler(watch)
        try:
            super()._commit()  # type: ignore[misc]
        except Exception as error:
            cause = error if isinstance(error, psycopg.Error) else error.__cause__
            if isinstance(cause, psycopg.Error) and errors.is_indefinite_commit(cause):
                raise errors.OutcomeUnknown(f"the outcome of COMMIT is unknown: {cause}") from cause
            raise
        finally:
            if connection is not None:
                connection.remove_notice_handler(watch)
        if warnings:
            raise errors.OutcomeUnknown(f"committed on this server, but perhaps not on its standby: {warnings[0]}")


def _is_quiet(connection: psycopg.Connection[Any]) -> bool:
    """Return whether the server has sent nothing to an idle connection: neither its end nor an error."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def _answers(connection: psycopg.Connection[Any]) -> bool:
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    return True
