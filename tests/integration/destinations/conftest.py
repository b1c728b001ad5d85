"""Payees and staff with their browsers, and a provider that pays out from the platform's money."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from django.test import Client
from pytest_django import Settings

from multitask import providers
from multitask.payments.operations import engine
from multitask.payments.provider import AmountRules, Capabilities, IdKind, Redirect, RouteKind
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import staff
from tests.integration.destinations.payees import id_of

_PLATFORM: Final = Capabilities(
    supports=frozenset(),
    kinds=frozenset({RouteKind.PLATFORM}),
    currencies=frozenset({"EGP"}),
    countries=frozenset({"EG"}),
    continuation=Redirect,
    key_lifetime=None,
    finds_by_reference=True,
)


@dataclass
class Disburser:
    """A provider of platform routes, as far as a route asks for it."""

    capabilities: Capabilities = _PLATFORM
    name: str = "disburser"

    def amount_rules(self, currency: str) -> AmountRules:
        return AmountRules()

    def kinds_of_id(self, object_id: str) -> frozenset[IdKind]:
        return frozenset()

    def require_answering(self) -> None:
        """It always answers."""


@pytest.fixture
def platform_route(settings: Settings) -> Iterator[None]:
    """EGP is paid out from the platform's money."""
    disburser = Disburser()
    engine.connect(lambda name: disburser if name == disburser.name else providers.get(name))
    settings.ROUTES = {"EGP": {"provider": disburser.name, "kind": "platform"}}
    yield
    engine.connect(providers.get)


@pytest.fixture
def browse() -> Callable[[Actor], Client]:
    """Open a browser of somebody who has signed in; staff has just given a code."""

    def signed_in(actor: Actor) -> Client:
        browser, user = Client(), User.objects.get(pk=id_of(actor))
        browser.force_login(user, backend="multitask.users.backends.UsernameOrEmailBackend")
        if user.staff_role:
            staff.prove(browser, user)
        return browser

    return signed_in
