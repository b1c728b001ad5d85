"""Proving the books: every invariant as a query that finds what breaks it.

Other rooms add what only they know with `register`. Runs as `manage.py check_ledger`, on a schedule
and after every database test.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from django.db import connection

from multitask.ledger import invariants

# Enough to see what is wrong, little enough to print when everything is.
MOST_DETAILS = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken invariant, by name, and one thing that breaks it."""

    invariant: str
    detail: str


Check = Callable[[], Iterable[str]]

_checks: dict[str, Check] = {}


def register(name: str, function: Check) -> None:
    """Add a check that answers one sentence per thing that breaks the invariant `name`, none when it holds."""
    if _checks.setdefault(name, function) is not function:
        raise ValueError(f"a check named {name} is registered already")


def names() -> list[str]:
    """The invariants that are checked, in order."""
    return list(_checks)


def run() -> list[Violation]:
    """Run every check; an empty list says that the books are sound."""
    return [Violation(name, detail) for name, check in _checks.items() for detail in check()]


def _details(sql: str) -> list[str]:
    """The first details that an invariant's query finds."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT detail FROM ({sql}) found (detail) LIMIT {MOST_DETAILS}")  # noqa: S608
        return [detail for (detail,) in cursor.fetchall()]


for _name, _sql in invariants.QUERIES.items():
    register(_name, partial(_details, _sql))
