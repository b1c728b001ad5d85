"""The three functions that post are held to the same tests."""

from collections.abc import Iterator

import pytest

from tests.integration.ledger import books


@pytest.fixture(params=["post", "post_with", "post_many"])
def writer(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test with each function; with `ledger.post_many` for each single transaction."""
    books.write_with(request.param)
    yield request.param
    books.write_with("post")
