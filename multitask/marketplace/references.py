"""The references under which tasks open their agreements."""

from typing import Final

from multitask.payments.models import Agreement

PREFIX: Final = "task:"


def of_task(task_id: int) -> str:
    """Return the reference of a task's agreement."""
    return f"{PREFIX}{task_id}"


def task_id(agreement: Agreement) -> int | None:
    """Return the id of an agreement's task, without a query; None for an agreement that was not opened for a task."""
    prefix, number = agreement.reference[: len(PREFIX)], agreement.reference[len(PREFIX) :]
    is_task = prefix == PREFIX and number.isascii() and number.isdecimal() and len(number) < 20
    return int(number) if is_task else None
