"""Our database backend with an interruption point before and after every commit.

A statement outside a transaction that writes is a commit too.
"""

from collections.abc import Callable
from typing import Any

from multitask.database import base, errors
from tests.simulation import cost, interruptions

WRITES = ("INSERT", "UPDATE", "DELETE", "WITH")


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that reaches `points.BEFORE_COMMIT` and `points.AFTER_COMMIT`."""

    def __init__(self, settings_dict: dict[str, Any], *args: Any, **more: Any) -> None:
        super().__init__(settings_dict, *args, **more)
        self.execute_wrappers.append(self._alone)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect, and count what the process at the other end costs."""
        session = super().get_new_connection(conn_params)
        cost.began(session.info.backend_pid)
        return session

    def _close(self) -> None:
        if self.connection is not None and not self.connection.closed:
            cost.ended(self.connection.info.backend_pid)
        super()._close()

    def _commit(self) -> None:
        try:
            fate = interruptions.reach(interruptions.BEFORE_COMMIT)
        except BaseException:
            self._die()
            raise
        if fate == interruptions.NOT_COMMITTED:
            assert self.connection is not None
            self.connection.rollback()
            raise errors.OutcomeUnknown("the connection broke before COMMIT")
        if fate == interruptions.PRETENDED:
            assert self.connection is not None
            self.connection.rollback()
            return
        super()._commit()
        if interruptions.reach(interruptions.AFTER_COMMIT) == interruptions.UNHEARD:
            raise errors.OutcomeUnknown("the connection broke after COMMIT")

    def _die(self) -> None:
        """End the session as the end of a process does: the server rolls back."""
        if self.connection is not None:
            cost.ended(self.connection.info.backend_pid)
            self.connection.close()
            self.closed_in_transaction = True

    def _alone(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if "procrastinate" in str(sql):
            interruptions.job_changed()
        if self.in_atomic_block or not str(sql).lstrip()[:6].upper().startswith(WRITES):
            return execute(sql, params, many, context)
        interruptions.reach(interruptions.BEFORE_WRITE)
        result = execute(sql, params, many, context)
        interruptions.reach(interruptions.AFTER_WRITE)
        return result
