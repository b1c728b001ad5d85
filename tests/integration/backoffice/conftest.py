"""One sandbox for these tests, a marketplace for each, and the staff with their browsers."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from multitask.users.actor import Actor
from multitask.users.models import User
from tests import payments_world, staff
from tests.payments_world import World
from tests.sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    """The offline Stripe, over the wire."""
    with SandboxProcess(seed=11, arguments=("--memory",)) as process:
        yield process


@pytest.fixture
def world(db: None, settings: Settings, sandbox: SandboxProcess) -> Iterator[World]:
    """A marketplace without anybody in it yet."""
    payments_world.use_sandbox(settings, sandbox)
    payments_world.begin_at_fresh_numbers()
    yield World(sandbox)
    sandbox.clear_faults()


@pytest.fixture
def browser() -> Callable[[Actor], Client]:
    """The browser of somebody who has signed in; staff has just given a code."""

    def of(actor: Actor) -> Client:
        browser, user = Client(), User.objects.get(pk=payments_world.user_id(actor))
        browser.force_login(user, backend="multitask.users.backends.UsernameOrEmailBackend")
        if user.staff_role:
            staff.prove(browser, user)
        return browser

    return of


@pytest.fixture
def finance(world: World) -> Actor:
    """A member of the finance staff."""
    return world.staff("finance")


@pytest.fixture
def office(finance: Actor, browser: Callable[[Actor], Client]) -> Client:
    """That member's browser."""
    return browser(finance)
