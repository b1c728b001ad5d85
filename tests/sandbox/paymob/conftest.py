"""A running offline Paymob."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.paymob_process import PaymobProcess


@pytest.fixture(scope="session")
def running_paymob() -> Iterator[PaymobProcess]:
    """One process for all tests that begin with an empty sandbox."""
    with PaymobProcess(seed=1) as process:
        yield process


@pytest.fixture
def paymob(running_paymob: PaymobProcess) -> PaymobProcess:
    """An empty sandbox."""
    running_paymob.reset()
    return running_paymob
