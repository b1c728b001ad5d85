"""Accounts and sessions: staff roles, closing an account, and refresh tokens used at the same moment."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction
from django.test import RequestFactory

from multitask.users import accounts, sessions, throttle
from multitask.users.actor import Actor, Assurance, Power, Role
from multitask.users.fields import InvalidAccount
from multitask.users.models import LoginAttempt, RefreshToken, User
from tests.integration import races

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
PASSWORD = "correct-horse-battery"
VISITOR = Actor.visitor(ip="203.0.113.9")


def _register(name: str = "ada", **fields: Any) -> User:
    registration = accounts.Registration(
        username=name, email=f"{name}@example.com", password=PASSWORD, is_client=True, **fields
    )
    return accounts.register(actor=VISITOR, now=NOW, registration=registration)


@pytest.fixture
def admin(db: None) -> Actor:
    return Actor.of(User.objects.create_superuser("root", "root@example.com", PASSWORD), assurance=Assurance.FRESH)


@pytest.mark.parametrize(
    ("role", "is_staff", "is_superuser"),
    [("support", True, False), ("finance", True, False), ("admin", True, True), ("", False, False)],
)
def test_a_staff_role_keeps_djangos_flags_in_step(admin: Actor, role: str, is_staff: bool, is_superuser: bool) -> None:
    user = _register()
    accounts.set_staff_role(actor=admin, now=NOW, user_id=user.pk, staff_role="finance")
    accounts.set_staff_role(actor=admin, now=NOW, user_id=user.pk, staff_role=role)
    user.refresh_from_db()
    assert (user.staff_role, user.is_staff, user.is_superuser) == (role, is_staff, is_superuser)


def test_only_an_administrator_gives_roles_and_not_to_himself(admin: Actor) -> None:
    user = _register()
    for staff_role in ("", "support", "finance"):
        User.objects.filter(pk=user.pk).update(staff_role=staff_role, is_staff=bool(staff_role))
        user.refresh_from_db()
        with pytest.raises(accounts.NotAllowed):
            accounts.set_staff_role(actor=Actor.of(user), now=NOW, user_id=user.pk, staff_role="admin")
    with pytest.raises(accounts.NotAllowed):
        accounts.set_staff_role(actor=admin, now=NOW, user_id=admin.user_id or 0, staff_role="")
    with pytest.raises(accounts.UnknownUser):
        accounts.set_staff_role(actor=admin, now=NOW, user_id=10**9, staff_role="")
    with pytest.raises(InvalidAccount):
        accounts.set_staff_role(actor=admin, now=NOW, user_id=user.pk, staff_role="king")


@pytest.mark.parametrize(
    "change",
    [
        {"is_staff": True},
        {"is_superuser": True},
        {"staff_role": "finance"},
        {"staff_role": "king", "is_staff": True},
        {"country": "us"},
        {"default_currency": "usd"},
    ],
)
@pytest.mark.django_db
def test_the_database_keeps_the_flags_in_step(change: dict[str, Any]) -> None:
    user = _register()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=user.pk).update(**change)


@pytest.mark.django_db
def test_an_actor_has_the_powers_of_his_role_alone() -> None:
    user = _register()
    held = {}
    for staff_role in ("", "support", "finance", "admin"):
        user.staff_role = staff_role
        held[staff_role] = {power for power in Power if Actor.of(user, assurance=Assurance.SESSION).may(power)}
    assert held[""] == set()
    assert held["support"] == {Power.READ_ANY, Power.CONFIRM_IDENTITY}
    assert held["finance"] == set(Power) - {Power.MANAGE_USERS}
    assert held["admin"] == set(Power)


@pytest.mark.django_db
def test_an_actor_shows_in_which_capacity_he_acts() -> None:
    user = _register(is_freelancer=True)
    assert Actor.of(user).role is Role.CLIENT
    user.is_client = False
    assert Actor.of(user).role is Role.FREELANCER
    user.staff_role = "support"
    assert Actor.of(user, assurance=Assurance.SESSION).is_staff
    assert not Actor.system("sweep").is_staff
    assert not Actor.system("sweep").is_user(None)


def test_closing_an_account_ends_its_sessions_and_opening_it_does_not_bring_them_back(admin: Actor) -> None:
    user = _register()
    token = sessions.begin(user_id=user.pk, now=NOW, lifetime=timedelta(days=1))
    accounts.deactivate(actor=admin, now=NOW, user_id=user.pk)
    with pytest.raises(sessions.SessionEnded):
        sessions.rotate(jti=token.jti, now=NOW, lifetime=timedelta(days=1))
    accounts.reactivate(actor=admin, now=NOW, user_id=user.pk)
    assert sessions.user_of(user_id=user.pk, family=token.family) is None
    assert accounts.authenticate(actor=VISITOR, now=NOW, identifier="ada", password=PASSWORD) == user


@pytest.mark.django_db
def test_an_expired_refresh_token_is_worth_nothing() -> None:
    token = sessions.begin(user_id=_register().pk, now=NOW, lifetime=timedelta(days=1))
    with pytest.raises(sessions.SessionEnded):
        sessions.rotate(jti=token.jti, now=NOW + timedelta(days=1), lifetime=timedelta(days=1))


@pytest.mark.django_db
def test_djangos_own_login_takes_both_names() -> None:
    user = _register()
    request = RequestFactory().post("/admin/login/")
    for name in ("ada", "ADA@example.com"):
        assert authenticate(request, username=name, password=PASSWORD) == user
    assert authenticate(request, username="ada", password="wrong") is None


@pytest.mark.django_db
def test_old_attempts_can_be_swept_away() -> None:
    throttle.begin(identifier="ada", ip=None, now=NOW)
    assert throttle.purge(now=NOW + timedelta(days=29)) == 0
    assert throttle.purge(now=NOW + timedelta(days=31)) == 1


@pytest.mark.django_db(transaction=True)
def test_guesses_sent_at_once_are_counted_like_guesses_in_a_row() -> None:
    attempt = partial(throttle.begin, identifier="ada", ip="203.0.113.9", now=NOW)
    for _ in range(9):
        attempt()
    answers = races.together([attempt] * 20)
    assert sum(isinstance(answer, int) for answer in answers) <= 1
    assert sum(isinstance(answer, throttle.TooManyAttempts) for answer in answers) >= 19
    assert LoginAttempt.objects.count() <= 10


@pytest.mark.django_db
def test_one_attempt_too_many_says_when_to_come_again() -> None:
    for minute in range(10):
        throttle.begin(identifier="ada", ip=None, now=NOW + timedelta(minutes=minute))
    with pytest.raises(throttle.TooManyAttempts) as refusal:
        throttle.begin(identifier="ada", ip=None, now=NOW + timedelta(minutes=10))
    assert refusal.value.retry_after == 5 * 60
    throttle.begin(identifier="ada", ip=None, now=NOW + timedelta(minutes=15))


@pytest.mark.django_db(transaction=True)
def test_a_name_registered_by_many_at_once_belongs_to_one() -> None:
    answers = races.together([_register] * 8)
    assert sum(isinstance(answer, User) for answer in answers) == 1
    assert sum(isinstance(answer, accounts.UsernameTaken) for answer in answers) == 7


@pytest.mark.django_db(transaction=True)
def test_a_refresh_token_used_by_many_at_once_ends_its_session() -> None:
    token = sessions.begin(user_id=_register().pk, now=NOW, lifetime=timedelta(days=1))
    rotate = partial(sessions.rotate, jti=token.jti, now=NOW, lifetime=timedelta(days=1))

    answers = races.together([rotate] * 10)

    assert sum(isinstance(answer, RefreshToken) for answer in answers) == 1
    assert sum(isinstance(answer, sessions.SessionEnded) for answer in answers) == 9
    assert not RefreshToken.objects.filter(family=token.family, revoked_at=None).exists()
