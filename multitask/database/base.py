"""The Django backend: PostgreSQL as Django has it, with an honest COMMIT and nothing that pooling would break."""

from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from multitask.database import errors


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose COMMIT is either definite or raises `OutcomeUnknown`."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        """Fix what a proxy in transaction pooling and a failover need, whatever the settings say."""
        settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
        settings_dict["CONN_HEALTH_CHECKS"] = True
        super().__init__(settings_dict, alias)

    def get_connection_params(self) -> dict[str, Any]:
        """Keep statements unprepared and notice a dead peer: the kernel asks after 15 s and gives up within 45 s."""
        quick = {"connect_timeout": 10, "keepalives_idle": 15, "keepalives_interval": 10, "keepalives_count": 3}
        return {**quick, "tcp_user_timeout": 30_000, **super().get_connection_params(), "prepare_threshold": None}

    def _commit(self) -> None:
        """COMMIT. Errors: a definite refusal as Django has it, `NotCommitted`, or `OutcomeUnknown`."""
        connection: psycopg.Connection[Any] | None = self.connection
        if connection is not None and connection.info.transaction_status == TransactionStatus.INERROR:
            raise errors.NotCommitted("a statement of this transaction had failed, so it cannot be committed")
        warnings: list[str] = []

        def watch(notice: psycopg.errors.Diagnostic) -> None:
            if errors.is_replication_warning(notice):
                warnings.append(notice.message_primary or "the wait for synchronous replication was given up")

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
            raise errors.OutcomeUnknown(f"committed here, but not known to last: {warnings[0]}")
