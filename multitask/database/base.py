"""Django's PostgreSQL backend, with a COMMIT that detects unknown outcomes, and safe for transaction pooling."""

from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from multitask.database import errors


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose COMMIT is either definite or raises `OutcomeUnknown`."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        """Force the settings that transaction pooling and failover need."""
        settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
        settings_dict["CONN_HEALTH_CHECKS"] = True
        super().__init__(settings_dict, alias)

    def get_connection_params(self) -> dict[str, Any]:
        """Disable prepared statements, and detect a dead peer: TCP keepalive starts after 15 s and fails by 45 s."""
        quick = {"connect_timeout": 10, "keepalives_idle": 15, "keepalives_interval": 10, "keepalives_count": 3}
        return {**quick, "tcp_user_timeout": 30_000, **super().get_connection_params(), "prepare_threshold": None}

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
