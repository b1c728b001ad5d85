"""A running sandbox, and a client of the official SDK for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from tests.sandbox.receiver import Receiver
from tests.sandbox_process import SandboxProcess

stripe.enable_telemetry = False


@pytest.fixture(scope="session")
def running() -> Iterator[SandboxProcess]:
    """One process for all tests that begin with an empty sandbox."""
    with SandboxProcess(seed=1) as process:
        yield process


@pytest.fixture
def sandbox(running: SandboxProcess) -> SandboxProcess:
    """An empty sandbox."""
    running.reset()
    return running


@pytest.fixture
def own() -> Iterator[SandboxProcess]:
    """A sandbox in a process of the test's own, which may be killed."""
    with SandboxProcess(seed=1) as process:
        yield process


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxProcess]:
    """A sandbox that the tests of a module share; each makes objects of its own in it."""
    with SandboxProcess(seed=2) as process:
        yield process


@pytest.fixture
def client(sandbox: SandboxProcess) -> stripe.StripeClient:
    """The SDK, pointed at the test's own sandbox."""
    return sdk(sandbox)


@pytest.fixture
def api(shared: SandboxProcess) -> stripe.StripeClient:
    """The SDK, pointed at the shared sandbox."""
    return sdk(shared)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An address that webhooks can be sent to."""
    hook = Receiver()
    yield hook
    hook.close()


def sdk(sandbox: SandboxProcess, key: str = "sk_test_sandbox", retries: int = 0) -> stripe.StripeClient:
    """Return an SDK client for a sandbox."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": sandbox.base_url, "files": sandbox.base_url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=(3, 20)),
    )
