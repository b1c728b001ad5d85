"""A marketplace with the offline Stripe, and people signed in on the pages."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests import payments_world
from tests.integration.pages.conftest import sandbox, sign_in
from tests.integration.situations.situations import Situation
from tests.payments_world import World
from tests.sandbox_process import SandboxProcess

__all__ = ["sandbox", "sign_in"]


@pytest.fixture
def world(db: None, settings: Settings, sandbox: SandboxProcess, situation: Situation) -> Iterator[World]:
    """A marketplace without anybody in it yet, with a provider of its own where statements are read."""
    payments_world.begin_at_fresh_numbers()
    if situation.reads_statements:
        with SandboxProcess(seed=7, arguments=("--memory",)) as own:
            payments_world.use_sandbox(settings, own)
            yield World(own)
        return
    payments_world.use_sandbox(settings, sandbox)
    yield World(sandbox)
    sandbox.clear_faults()
