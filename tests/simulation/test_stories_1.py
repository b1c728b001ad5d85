"""Fifty stories, drawn from the suite's seed."""

import pytest

from tests.simulation.runner import assert_good

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("first", [1, 26])
def test_stories_end_well(first: int) -> None:
    assert_good(first, 25)
