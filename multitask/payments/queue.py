"""Puts a job into the queue, in the caller's own transaction: it exists if and only if the change does.

Jobs are named, not imported: `multitask.jobs` stands to the left of this room and defines them.
"""

from datetime import datetime
from typing import Final

from procrastinate.contrib.django import app

PERFORM: Final = "perform_operation"
SETTLE: Final = "settle_escrow"

_QUEUES = {PERFORM: "operations", SETTLE: "operations"}


def defer(name: str, *, at: datetime | None = None, **arguments: int | str) -> None:
    """Run the job `name` with `arguments` once the caller's transaction has committed, not before `at`."""
    app.configure_task(name, queue=_QUEUES[name], schedule_at=at).defer(**arguments)
