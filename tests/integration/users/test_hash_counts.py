"""Signing in and registering compute the same hashes for every name, so that timing reveals nothing."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth import hashers
from pytest_django import Settings

from multitask.users import accounts
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import counted_hashes

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
PASSWORD = "correct-horse-battery"
VISITOR = Actor.visitor(ip="203.0.113.9")
LONGEST = 256


@pytest.fixture(autouse=True)
def people(settings: Settings) -> None:
    """One account of every kind that a visitor may try."""
    settings.PASSWORD_HASHERS = counted_hashes.HASHERS
    create = User.objects.create_user
    create("ada", "ada@example.com", PASSWORD, is_client=True)
    create("closed", "closed@example.com", PASSWORD, is_client=True, is_active=False)
    create("blocked", "blocked@example.com", None, is_client=True)
    create("broken", "broken@example.com", None, is_client=True)
    User.objects.filter(username="broken").update(password="unknown$1$salt$hash")
    create("waiting", "waiting@example.com", PASSWORD, is_client=True, email_confirmed_at=None)
    create("both", "both@example.com", PASSWORD, is_client=True)
    create("both2", "both@example.com", PASSWORD, is_client=True, email_confirmed_at=None)


def hashed_at_login(name: str, password: str) -> list[int]:
    with counted_hashes.counted() as lengths, pytest.raises(accounts.InvalidCredentials):
        accounts.authenticate(actor=VISITOR, now=NOW, identifier=name, password=password)
    return lengths


NAMES = ["ada", "closed", "blocked", "broken", "waiting", "both", "nobody", "\u212aate"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 40, LONGEST, LONGEST + 1, 1_000])
def test_a_username_that_is_refused_costs_one_hash_of_the_same_input(name: str, length: int) -> None:
    assert hashed_at_login(name, "p" * length) == [min(length, LONGEST)]


@pytest.mark.parametrize("name", [*NAMES, "not an address "])
@pytest.mark.parametrize("length", [1, LONGEST + 1])
def test_an_address_that_is_refused_costs_two(name: str, length: int) -> None:
    assert hashed_at_login(f"{name}@example.com", "p" * length) == [min(length, LONGEST)] * 2


def test_a_closed_account_costs_no_more_with_the_right_password() -> None:
    assert hashed_at_login("closed", PASSWORD) == [len(PASSWORD)]
    old = hashers.Argon2PasswordHasher().encode(PASSWORD, "salt-and-pepper")
    User.objects.filter(username="closed").update(password=old)
    assert hashed_at_login("closed", PASSWORD) == [len(PASSWORD)]


def test_a_hash_of_another_kind_is_compared_once_and_made_anew_at_the_first_login() -> None:
    old = hashers.make_password(PASSWORD, hasher="pbkdf2_sha256")
    User.objects.filter(username="ada").update(password=old)
    with counted_hashes.counted() as lengths:
        user = accounts.authenticate(actor=VISITOR, now=NOW, identifier="ada", password=PASSWORD)
    assert lengths == [len(PASSWORD)]
    assert user.password == User.objects.get(username="ada").password != old


@pytest.mark.parametrize("address", ["free@example.com", "ada@example.com", "closed@example.com", "both@example.com"])
def test_registering_costs_one_hash_whosever_the_address_is(address: str) -> None:
    registration = accounts.Registration(username="newcomer", email=address, password=PASSWORD, is_client=True)
    with counted_hashes.counted() as lengths:
        accounts.register(actor=VISITOR, now=NOW, registration=registration)
    assert lengths == [len(PASSWORD)]
