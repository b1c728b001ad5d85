"""People signed in on the pages, in a marketplace with the offline Stripe."""

from collections.abc import Callable

import pytest
from django.test import Client

from multitask.users.actor import Actor
from multitask.users.models import User
from tests import staff
from tests.integration.payments.conftest import sandbox, world
from tests.payments_world import user_id

__all__ = ["sandbox", "world"]


@pytest.fixture
def sign_in() -> Callable[[Actor], Client]:
    """Open a browser of somebody who has signed in; staff has just given a code."""

    def signed_in(actor: Actor) -> Client:
        browser, user = Client(), User.objects.get(pk=user_id(actor))
        browser.force_login(user, backend="multitask.users.backends.UsernameOrEmailBackend")
        if user.staff_role:
            staff.prove(browser, user)
        return browser

    return signed_in


@pytest.fixture
def person(db: None) -> User:
    """Somebody whose history is written by the test itself."""
    return User.objects.create_user("reader", "reader@example.com", is_freelancer=True)


@pytest.fixture
def browser(person: User, client: Client) -> Client:
    """The reader's browser."""
    client.force_login(person, backend="multitask.users.backends.UsernameOrEmailBackend")
    return client
