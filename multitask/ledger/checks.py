"""Checks that prove the ledger: each runs a query that returns the violations of one invariant.

Other packages add their own checks with `register`. The checks run in `manage.py check_ledger`, on a schedule
and after every database test.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from django.db import connection

from multitask.ledger import invariants

# How many violations of one invariant are reported at most.
MOST_DETAILS = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """The name of a broken invariant, and a sentence about one row that breaks it."""

    invariant: str
    detail: str


Check = Callable[[], Iterable[str]]

_checks: dict[str, Check] = {}


def register(name: str, function: Check) -> None:
    """Add a check. `function` returns one sentence per violation of the invariant `name`, none if it holds."""
    if _checks.setdefault(name, function) is not function:
        raise ValueError(f"a check named {name} is registered already")


def names() -> list[str]:
    """Return the names of the invariants, in the order in which they are checked."""
    return list(_checks)


def run() -> list[Violation]:
    """Run every check; return an empty list if all invariants hold."""
    return [Violation(name, detail) for name, check in _checks.items() for detail in check()]


def _details(sql: str) -> list[str]:
    """Return the first violations that the query of an invariant finds."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT detail FROM ({sql}) found (detail) LIMIT {MOST_DETAILS}")  # noqa: S608
        return [detail for (detail,) in cursor.fetchall()]


for _name, _sql in invariants.QUERIES.items():
    register(_name, partial(_details, _sql))
