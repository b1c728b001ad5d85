"""One sandbox for all these tests, and a marketplace of its own for each."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests import payments_world
from tests.payments_world import World
from tests.provider_balances import ProviderBalances
from tests.sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    """The offline Stripe, over the wire."""
    with SandboxProcess(seed=7, arguments=("--memory",)) as process:
        yield process


@pytest.fixture
def world(db: None, settings: Settings, sandbox: SandboxProcess) -> Iterator[World]:
    """A marketplace without anybody in it yet."""
    payments_world.use_sandbox(settings, sandbox)
    payments_world.begin_at_fresh_numbers()
    yield World(sandbox)
    sandbox.clear_faults()


@pytest.fixture
def balances(world: World, sandbox: SandboxProcess) -> ProviderBalances:
    """The provider's balances from now on, to compare the ledger with."""
    return ProviderBalances(sandbox)
