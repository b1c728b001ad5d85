"""The references under which tasks open their agreements."""

from typing import Final

from multitask.payments.models import Agreement

_PREFIX: Final = "task:"


def of_task(task_id: int) -> str:
    """Return the reference of a task's agreement."""
    return f"{_PREFIX}{task_id}"


def task_id(agreement: Agreement) -> int:
    """Return the id of an agreement's task, without a query. Raises ValueError for an agreement without a task."""
    return int(agreement.reference.removeprefix(_PREFIX))
