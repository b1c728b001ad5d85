"""A marketplace with the offline Stripe, and its people as callers of the API."""

from collections.abc import Callable

import pytest

from multitask.users.actor import Actor
from multitask.users.models import User
from tests.acceptance import clients
from tests.acceptance.clients import Caller
from tests.integration.payments.conftest import sandbox, world
from tests.payments_world import user_id

__all__ = ["sandbox", "world"]


@pytest.fixture
def call_as() -> Callable[[Actor], Caller]:
    """Log somebody of the marketplace in."""
    return lambda actor: clients.of(User.objects.get(pk=user_id(actor)))
