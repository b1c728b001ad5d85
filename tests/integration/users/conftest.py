"""People whose addresses these tests are about."""

import pytest

from multitask.users.models import User
from tests.integration.pages.codes import PASSWORD


@pytest.fixture
def kate() -> User:
    """The owner of a confirmed address that strange letters could pass for."""
    return User.objects.create_user("kate.simon", "kate.simon@example.com", PASSWORD, is_client=True)
