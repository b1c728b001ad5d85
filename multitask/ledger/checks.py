"""Checks that prove the ledger: each runs a query that returns the violations of one invariant.

Other packages add their own checks with `register`. `run` proves everything, in `manage.py check_ledger`, regularly on
a schedule and after every database test. `proof.run` proves what is new, every hour.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final

from django.db import connection

from multitask.ledger import chain, checkpoints, invariants

CHAIN: Final = "chain_is_unbroken"
CHECKPOINTS: Final = "checkpoints_are_unbroken"
# The invariants of the ledger itself. What other packages register is about their own rows, or about what a provider
# holds, and says nothing about how far the ledger was proven.
OF_LEDGER: Final = frozenset({*invariants.QUERIES, CHAIN, CHECKPOINTS})
# How many violations of one invariant are reported at most.
MOST_DETAILS = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """The name of a broken invariant, and a sentence about one row that breaks it."""

    invariant: str
    detail: str


Check = Callable[[], Iterable[str]]
# Checks only what has one of these names: codes of accounts, and keys of transactions.
TouchedCheck = Callable[[frozenset[str]], Iterable[str]]

_checks: dict[str, Check] = {}
_touched: dict[str, TouchedCheck] = {}
_of_bounded_cost: set[str] = set()
_of_providers: set[str] = set()
_readers: list[Check] = []


def register(
    name: str,
    function: Check,
    *,
    touched: TouchedCheck | None = None,
    of_bounded_cost: bool = False,
    of_providers: bool = False,
) -> None:
    """Add a check. `function` returns one sentence per violation of the invariant `name`, none if it holds.

    The incremental proof calls `touched` instead, with the names of what was posted, or, if the check is
    `of_bounded_cost` however large the books are, `function` itself. A check `of_providers` is about what a payment
    provider holds, as far as it was read.
    """
    if _checks.setdefault(name, function) is not function:
        raise ValueError(f"a check named {name} is registered already")
    if touched is not None:
        _touched[name] = touched
    if of_bounded_cost:
        _of_bounded_cost.add(name)
    if of_providers:
        _of_providers.add(name)


def of_touched() -> Iterator[tuple[str, TouchedCheck]]:
    """Yield the checks of what was touched, with their names."""
    yield from _touched.items()


def of_bounded_cost(*, with_providers: bool = True) -> Iterator[tuple[str, Check]]:
    """Yield the checks that the incremental proof runs as a whole, with their names."""
    yield from ((name, _checks[name]) for name in names(with_providers=with_providers) if name in _of_bounded_cost)


def of_names(names: Collection[str]) -> Iterator[tuple[str, Check]]:
    """Yield the checks with these names, as far as there are any."""
    yield from ((name, check) for name, check in _checks.items() if name in names)


def is_proven_in_parts(name: str) -> bool:
    """Return whether this is an invariant of another package that the incremental proof checks only where it reads.

    A violation that it, or the full proof, has found would not be found by the next one.
    """
    return name not in OF_LEDGER and name not in _of_bounded_cost


def register_reader(function: Check) -> None:
    """Add a function that reads what the providers hold now; it returns one sentence for each that did not answer."""
    if function not in _readers:
        _readers.append(function)


def read_providers() -> list[str]:
    """Read what the providers hold now, for the checks `of_providers`; return what could not be read."""
    return [problem for reader in _readers for problem in reader()]


def names(*, with_providers: bool = True) -> list[str]:
    """Return the names of the invariants, in the order in which they are checked."""
    return [name for name in _checks if with_providers or name not in _of_providers]


def run(*, with_providers: bool = True) -> list[Violation]:
    """Run every check on all that there is; return an empty list if all invariants hold.

    No provider is asked anything.
    """
    wanted = names(with_providers=with_providers)
    return [Violation(name, detail) for name in wanted for detail in _checks[name]()]


def _details(sql: str) -> list[str]:
    """Return the first violations that the query of an invariant finds."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT detail FROM ({sql}) found (detail) LIMIT {MOST_DETAILS}")  # noqa: S608
        return [detail for (detail,) in cursor.fetchall()]


for _name, _sql in invariants.QUERIES.items():
    register(_name, partial(_details, _sql), of_bounded_cost=_name == "guards_stand")
register(CHAIN, lambda: islice(chain.verify(), MOST_DETAILS))
register(CHECKPOINTS, lambda: islice(checkpoints.violations(), MOST_DETAILS))
