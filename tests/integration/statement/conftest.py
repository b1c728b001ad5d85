"""A sandbox of its own for each test, since a statement shows everything that happened to the platform's account."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests import payments_world
from tests.integration.statement.books import Books
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    """The offline Stripe, over the wire."""
    with SandboxProcess(seed=7, arguments=("--memory",)) as process:
        yield process


@pytest.fixture
def world(db: None, settings: Settings, sandbox: SandboxProcess) -> Books:
    """A marketplace without anybody in it yet."""
    payments_world.use_sandbox(settings, sandbox)
    payments_world.begin_at_fresh_numbers()
    return Books(sandbox)
