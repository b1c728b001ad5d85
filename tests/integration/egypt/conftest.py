"""One offline Paymob for all these tests, and a marketplace in Egypt for each."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from multitask import providers
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import egypt_world, payments_world
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.egypt_world import EgyptWorld
from tests.integration.pages.conftest import sign_in
from tests.payments_world import user_id
from tests.paymob_process import PaymobProcess

__all__ = ["sign_in"]


@pytest.fixture(scope="session")
def running_paymob() -> Iterator[PaymobProcess]:
    """The offline Paymob, over the wire; it answers any number of inquiries."""
    with PaymobProcess(seed=7, arguments=("--memory", "--inquiries-per-minute=0")) as process:
        yield process


@pytest.fixture
def world(db: None, settings: Settings, running_paymob: PaymobProcess) -> Iterator[EgyptWorld]:
    """A marketplace without anybody in it yet, and a Paymob without any money."""
    running_paymob.reset()
    egypt_world.use_paymob(settings, running_paymob)
    payments_world.begin_at_fresh_numbers()
    yield EgyptWorld(running_paymob)
    running_paymob.clear_faults()
    # Polls have called a Stripe that is not there; other tests in this process go on without one.
    for provider in providers.every():
        provider.guard.breaker.reset()


@pytest.fixture
def call_as() -> Callable[[Actor], Caller]:
    """Log somebody of the marketplace in at the API."""
    return lambda actor: clients.of(User.objects.get(pk=user_id(actor)))


@pytest.fixture
def finance(world: EgyptWorld) -> Actor:
    """A member of the finance staff."""
    return world.staff("finance")


@pytest.fixture
def office(finance: Actor, sign_in: Callable[[Actor], Client]) -> Client:
    """That member's browser."""
    return sign_in(finance)
