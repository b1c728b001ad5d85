"""One offline Paymob for all these tests, and the adapter for it."""

import itertools
from collections.abc import Iterator

import pytest

from multitask.providers.paymob.adapter import PaymobProvider
from tests.contract.paymob_rig import PaymobRig, paymob_rig

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def running() -> Iterator[PaymobRig]:
    """The sandbox."""
    with paymob_rig() as rig:
        yield rig


@pytest.fixture
def rig(running: PaymobRig) -> Iterator[PaymobRig]:
    """The sandbox with a network that works."""
    yield running
    running.heal()


@pytest.fixture
def provider(rig: PaymobRig) -> PaymobProvider:
    """An adapter that remembers nothing."""
    return rig.make()


@pytest.fixture
def name() -> str:
    """A reference that no other test uses."""
    return f"create_payment:{next(_numbers)}:1"
