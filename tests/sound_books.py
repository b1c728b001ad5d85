"""Proving the books after each test: every invariant at once, by a statement that a connection prepares once."""

from weakref import WeakSet

from django.db import connection

from multitask.ledger import checks
from multitask.ledger import invariants as of_the_ledger
from multitask.payments.books import invariants as of_payments
from multitask.payments.books.proof import verification

QUERIES = {**of_the_ledger.QUERIES, **of_payments.QUERIES}
# These are proven by programs, not by a query: only where a test has chained transactions or published a statement.
PROGRAMS = {
    checks.CHAIN: "SELECT FROM ledger_link",
    checks.CHECKPOINTS: "SELECT FROM ledger_checkpoint",
    verification.NAME: "SELECT FROM payments_proofstatement",
}
ANY_BROKEN = " OR ".join(f"EXISTS ({query})" for query in [*QUERIES.values(), *PROGRAMS.values()])

_prepared: WeakSet[object] = WeakSet()


def violations() -> list[checks.Violation]:
    """What `checks.run()` answers; nearly always that is nothing, which is found out a lot faster."""
    assert {*QUERIES, *PROGRAMS} == set(checks.names()), "there is an invariant that is not looked at here"
    with connection.cursor() as cursor:
        if connection.connection not in _prepared:
            cursor.execute(f"PREPARE the_books_are_broken AS SELECT {ANY_BROKEN}")
            _prepared.add(connection.connection)
        cursor.execute("EXECUTE the_books_are_broken")
        is_broken = cursor.fetchone() != (False,)
    return checks.run() if is_broken else []
