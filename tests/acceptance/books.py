"""Compare the ledger of a running system with the sandbox's record."""

from multitask.ledger import checks
from tests.acceptance.system import System, in_process
from tests.books import MAKES, differences

__all__ = ["MAKES", "assert_equal", "differences"]


def assert_equal(system: System, *, context: object = "") -> None:
    """Assert that the ledger is valid and equals the provider's record, with each effect once."""
    system.settle_down()
    with in_process(system):
        wrong = [*differences(system), *map(str, checks.run())]
    assert not wrong, f"{context} {wrong}"
