"""Holds the books of a running system against the sandbox's."""

from multitask.ledger import checks
from tests.acceptance.system import System, in_process
from tests.books import MADE_BY, differences

__all__ = ["MADE_BY", "assert_equal", "differences"]


def assert_equal(system: System, *, context: object = "") -> None:
    """Insist that the books are sound in themselves and the same as the provider's, each effect made once."""
    system.settle_down()
    with in_process(system):
        wrong = [*differences(system), *map(str, checks.run())]
    assert not wrong, f"{context} {wrong}"
