"""Accounts over HTTP: register, log in, refresh, log out, profile."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import LazySettings
from django.contrib.auth import hashers
from django.test import Client
from django.utils import timezone

from multitask.users import accounts, sessions
from multitask.users.actor import Actor, Assurance
from multitask.users.models import LoginAttempt, RefreshToken, User
from multitask.web.api import tokens
from tests.acceptance import clients
from tests.acceptance.clients import Answer, Caller

PASSWORD = "correct-horse-battery"
ADA = {"username": "ada", "email": "Ada@Example.com", "password": PASSWORD, "is_client": True}


@pytest.fixture
def ada(visitor: Caller) -> dict[str, Any]:
    """What Ada got when she registered."""
    answer = visitor.post("/api/auth/register/", ADA)
    assert answer.status == 201, answer.json
    return dict(answer.json)


def _login(caller: Caller, name: str, value: str, password: str = PASSWORD) -> Answer:
    return caller.post("/api/auth/login/", {name: value, "password": password})


def test_registering_answers_tokens_and_the_account(ada: dict[str, Any]) -> None:
    assert set(ada) == {"access", "refresh", "user"}
    user = ada["user"]
    assert (user["username"], user["email"]) == ("ada", "ada@example.com")
    assert (user["is_client"], user["is_freelancer"], user["staff_role"]) == (True, False, "")
    assert (user["country"], user["default_currency"]) == ("US", "USD")
    assert "password" not in user


def test_a_password_is_stored_as_argon2(ada: dict[str, Any]) -> None:
    assert User.objects.get(username="ada").password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_hash_of_other_settings_is_made_anew_at_the_next_login(ada: dict[str, Any], visitor: Caller) -> None:
    costly = hashers.Argon2PasswordHasher().encode(PASSWORD, "salt-and-pepper")
    User.objects.update(password=costly)
    assert _login(visitor, "username", "ada").status == 200
    assert "m=19456" in User.objects.get(username="ada").password


def test_a_username_is_taken_in_every_spelling(ada: dict[str, Any], visitor: Caller) -> None:
    answer = visitor.post("/api/auth/register/", ADA | {"username": "ADA", "email": "other@example.com"})
    assert (answer.status, answer.code, list(answer.json["fields"])) == (409, "username_taken", ["username"])
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "a"}, "username"),
        ({"username": "ada@example.com"}, "username"),
        ({"username": "ada lovelace"}, "username"),
        ({"email": "ada"}, "email"),
        ({"email": "a"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "12345678901"}, "password"),
        ({"password": "p" * 257}, "password"),
        ({"is_client": False}, "is_client"),
        ({"country": "XX"}, "country"),
        ({"country": "us"}, "country"),
        ({"default_currency": "USDT"}, "default_currency"),
        ({"language": "klingon"}, "language"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ],
)
def test_a_bad_field_is_named(visitor: Caller, changes: dict[str, Any], field: str) -> None:
    answer = visitor.post("/api/auth/register/", ADA | changes)
    assert (answer.status, answer.code) == (422, "invalid_account")
    assert field in answer.json["fields"]
    assert not User.objects.exists()


@pytest.mark.parametrize("field", ["staff_role", "is_staff", "is_superuser", "id", "is_active"])
def test_nobody_registers_himself_as_staff(visitor: Caller, field: str) -> None:
    answer = visitor.post("/api/auth/register/", ADA | {field: "admin"})
    assert (answer.status, answer.code, list(answer.json["fields"])) == (422, "unknown_field", [field])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("username_or_email", "ada"),
        ("username_or_email", "ADA@example.com"),
        ("email", "ada@EXAMPLE.com"),
        ("username", "Ada"),
    ],
)
def test_login_takes_any_of_the_names(ada: dict[str, Any], visitor: Caller, name: str, value: str) -> None:
    answer = _login(visitor, name, value)
    assert answer.status == 200
    assert answer.json["user"]["id"] == ada["user"]["id"]
    assert Caller(visitor.http, token=answer.json["access"]).get("/api/auth/profile/").status == 200


def test_wrong_password_unknown_name_and_closed_account_answer_alike(ada: dict[str, Any], visitor: Caller) -> None:
    wrong = _login(visitor, "username", "ada", "not-the-password")
    unknown = _login(visitor, "username", "nobody")
    User.objects.update(is_active=False)
    closed = _login(visitor, "username", "ada")
    assert {answer.status for answer in (wrong, unknown, closed)} == {401}
    assert wrong.json == unknown.json == closed.json


def test_a_login_without_a_name_is_told_what_is_missing(visitor: Caller) -> None:
    answer = visitor.post("/api/auth/login/", {"password": PASSWORD})
    assert (answer.status, answer.code, list(answer.json["fields"])) == (422, "required", ["username_or_email"])


def test_guessing_is_stopped_with_429(ada: dict[str, Any], visitor: Caller) -> None:
    answers = [_login(visitor, "username", "ada", f"guess-{number}") for number in range(12)]
    assert [answer.status for answer in answers] == [401] * 10 + [429] * 2
    assert answers[-1].code == "too_many_attempts"
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert _login(visitor, "username", "ada").status == 429, "the right password too"


def test_two_spellings_of_a_name_are_counted_as_one(ada: dict[str, Any], visitor: Caller) -> None:
    for names in (["ada", "ADA"], ["ada@example.com", "Ada@Example.COM"]):
        answers = [_login(visitor, "username_or_email", names[number % 2], "guess").status for number in range(12)]
        assert answers == [401] * 10 + [429] * 2


@pytest.mark.parametrize(("tried", "other"), [("ada", "ada@example.com"), ("ada@example.com", "ada")])
def test_guesses_under_one_name_do_not_tell_that_another_is_the_same_account(
    ada: dict[str, Any], visitor: Caller, tried: str, other: str
) -> None:
    for _ in range(11):
        _login(visitor, "username_or_email", tried, "guess")
    assert _login(visitor, "username_or_email", other, "guess").status == 401


@pytest.mark.parametrize("name", ["ada", "ada@example.com", "nobody", "nobody@example.com"])
def test_guessing_is_stopped_alike_whether_the_name_is_known_or_not(
    ada: dict[str, Any], visitor: Caller, name: str
) -> None:
    answers = [_login(visitor, "username_or_email", name, "guess") for _ in range(11)]
    assert [(answer.status, answer.code) for answer in answers] == [(401, "invalid_credentials")] * 10 + [
        (429, "too_many_attempts")
    ]


def test_logins_under_many_names_are_stopped(visitor: Caller, settings: LazySettings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    answers = [_login(visitor, "username", f"name{number}").status for number in range(200)]
    assert answers[:60] == [401] * 60
    assert set(answers[60:]) == {429}


def test_a_forged_forwarding_header_does_not_escape_the_throttle(ada: dict[str, Any], visitor: Caller) -> None:
    for number in range(10):
        body = {"username": "ada", "password": "guess"}
        assert visitor.post("/api/auth/login/", body, X_Forwarded_For=f"10.0.0.{number}").status == 401
    assert visitor.post("/api/auth/login/", body, X_Forwarded_For="10.9.9.9").status == 429


def test_behind_a_proxy_only_its_own_entry_counts(ada: dict[str, Any], visitor: Caller, settings: LazySettings) -> None:
    settings.TRUSTED_PROXIES = 1
    body = {"username": "ada", "password": "guess"}
    visitor.post("/api/auth/login/", body, X_Forwarded_For="1.2.3.4, 203.0.113.9")
    assert LoginAttempt.objects.get(purpose="login").ip == "203.0.113.9"


def test_failures_of_long_ago_do_not_count(ada: dict[str, Any], visitor: Caller) -> None:
    for _ in range(10):
        _login(visitor, "username", "ada", "guess")
    LoginAttempt.objects.update(attempted_at=timezone.now() - timedelta(minutes=16))
    assert _login(visitor, "username", "ada").status == 200


def test_refreshing_answers_a_new_pair(ada: dict[str, Any], visitor: Caller) -> None:
    answer = visitor.post("/api/auth/token/refresh/", {"refresh": ada["refresh"]})
    assert answer.status == 200
    assert set(answer.json) == {"access", "refresh"}
    assert answer.json["refresh"] != ada["refresh"]
    assert Caller(visitor.http, token=answer.json["access"]).get("/api/auth/profile/").status == 200


def test_a_refresh_token_sent_twice_ends_the_session(ada: dict[str, Any], visitor: Caller) -> None:
    first = visitor.post("/api/auth/token/refresh/", {"refresh": ada["refresh"]}).json
    again = visitor.post("/api/auth/token/refresh/", {"refresh": ada["refresh"]})
    assert (again.status, again.code) == (401, "refresh_token_reused")
    successor = visitor.post("/api/auth/token/refresh/", {"refresh": first["refresh"]})
    assert (successor.status, successor.code) == (401, "session_ended")
    assert Caller(visitor.http, token=first["access"]).get("/api/auth/profile/").status == 401


def test_one_session_ending_leaves_the_others(ada: dict[str, Any], visitor: Caller) -> None:
    other = _login(visitor, "username", "ada").json
    Caller(visitor.http, token=ada["access"]).post("/api/auth/logout/")
    assert Caller(visitor.http, token=ada["access"]).get("/api/auth/profile/").status == 401
    assert Caller(visitor.http, token=other["access"]).get("/api/auth/profile/").status == 200


def test_logging_out_with_the_refresh_token_ends_its_session(ada: dict[str, Any], visitor: Caller) -> None:
    assert visitor.post("/api/auth/logout/", {"refresh": ada["refresh"]}).status == 200
    assert visitor.post("/api/auth/token/refresh/", {"refresh": ada["refresh"]}).status == 401
    assert Caller(visitor.http, token=ada["access"]).get("/api/auth/profile/").status == 401


def test_logging_out_needs_something_to_end(visitor: Caller) -> None:
    assert visitor.post("/api/auth/logout/").status == 401


def test_an_access_token_is_no_refresh_token_nor_the_other_way_round(ada: dict[str, Any], visitor: Caller) -> None:
    assert visitor.post("/api/auth/token/refresh/", {"refresh": ada["access"]}).code == "invalid_token"
    assert Caller(visitor.http, token=ada["refresh"]).get("/api/auth/profile/").status == 401


def test_an_expired_token_is_refused(ada: dict[str, Any], visitor: Caller) -> None:
    session = RefreshToken.objects.get()
    old = tokens.access_for(session, now=timezone.now() - timedelta(days=1))
    answer = Caller(visitor.http, token=old).get("/api/auth/profile/")
    assert (answer.status, answer.code) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def _forged(access: str, **changes: Any) -> dict[str, str]:
    claims = jwt.decode(access, options={"verify_signature": False}) | changes
    return {
        "no signature": jwt.encode(claims, None, algorithm="none"),
        "another key": jwt.encode(claims, "k" * 64, algorithm="HS256"),
        "another algorithm": jwt.encode(claims, "k" * 64, algorithm="HS512"),
        "rubbish": "a.b.c",
        "nothing": "",
        "not ASCII": "é",
        "endless": "a" * 5_000,
    }


def test_forged_tokens_are_refused(ada: dict[str, Any], visitor: Caller) -> None:
    for kind, forged in _forged(ada["access"]).items():
        answer = visitor.get("/api/auth/profile/", Authorization=f"Bearer {forged}")
        assert answer.status == 401, kind


def test_no_token_is_401(visitor: Caller) -> None:
    answer = visitor.get("/api/auth/profile/")
    assert (answer.status, answer.code) == (401, "not_authenticated")


def test_tokens_signed_with_the_key_before_this_one_still_count(
    ada: dict[str, Any], visitor: Caller, settings: LazySettings
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a-new-key-for-everything-signed-from-now-on"
    assert Caller(visitor.http, token=ada["access"]).get("/api/auth/profile/").status == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert Caller(visitor.http, token=ada["access"]).get("/api/auth/profile/").status == 401


def test_a_closed_account_is_out_at_once(client_user: Caller) -> None:
    admin = Actor.of(clients.person(staff_role="admin").user, assurance=Assurance.FRESH)
    assert client_user.get("/api/auth/profile/").status == 200
    accounts.deactivate(actor=admin, now=timezone.now(), user_id=client_user.user.pk)
    assert client_user.get("/api/auth/profile/").status == 401


def test_a_role_that_was_taken_away_is_refused_at_once(client_user: Caller) -> None:
    body = {"title": "T", "description": "D", "budget": "10.00"}
    assert client_user.post("/api/tasks/create/", body).status == 201
    User.objects.filter(pk=client_user.user.pk).update(is_client=False, is_freelancer=True)
    answer = client_user.post("/api/tasks/create/", body)
    assert (answer.status, answer.code) == (403, "not_a_client")


def test_the_profile_can_be_changed(client_user: Caller) -> None:
    changes = {"country": "DE", "default_currency": "EUR", "time_zone": "Europe/Berlin", "is_freelancer": True}
    answer = client_user.patch("/api/auth/profile/", changes)
    assert answer.status == 200
    assert {name: answer.json[name] for name in changes} == changes
    assert client_user.get("/api/auth/profile/").json == answer.json


@pytest.mark.parametrize("field", ["staff_role", "username", "email", "is_active", "id"])
def test_the_rest_of_the_account_is_not_ones_own_to_change(client_user: Caller, field: str) -> None:
    answer = client_user.patch("/api/auth/profile/", {field: "admin"})
    assert (answer.status, answer.code) == (422, "unknown_field")


def test_giving_up_the_last_role_is_refused(client_user: Caller) -> None:
    assert client_user.patch("/api/auth/profile/", {"is_client": False}).status == 422
    assert client_user.user.is_client


def _page_session(user: User) -> Client:
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(user, backend="multitask.users.backends.UsernameOrEmailBackend")
    return browser


def test_a_pages_session_may_read(client_user: Caller) -> None:
    answer = Caller(_page_session(client_user.user)).get("/api/auth/profile/")
    assert answer.json["id"] == client_user.user.pk


def test_a_pages_session_needs_the_csrf_token_to_write(client_user: Caller) -> None:
    browser = _page_session(client_user.user)
    refused = Caller(browser).patch("/api/auth/profile/", {"country": "DE"})
    assert (refused.status, refused.code) == (403, "csrf_failed")
    browser.cookies["csrftoken"] = "a" * 32
    accepted = Caller(browser).patch("/api/auth/profile/", {"country": "DE"}, X_CSRFToken="a" * 32)
    assert accepted.status == 200


def test_a_bearer_token_needs_no_csrf_token(client_user: Caller) -> None:
    browser = Client(enforce_csrf_checks=True)
    answer = Caller(browser, token=client_user.token).patch("/api/auth/profile/", {"country": "DE"})
    assert answer.status == 200


def test_a_bad_token_is_refused_even_beside_a_session(client_user: Caller) -> None:
    answer = Caller(_page_session(client_user.user), token="rubbish").get("/api/auth/profile/")
    assert answer.status == 401


def test_logging_out_of_a_page_ends_its_session(client_user: Caller) -> None:
    browser = _page_session(client_user.user)
    browser.cookies["csrftoken"] = "a" * 32
    assert Caller(browser).post("/api/auth/logout/", X_CSRFToken="a" * 32).status == 200
    assert Caller(browser).get("/api/auth/profile/").status == 401


def test_expired_sessions_can_be_swept_away(ada: dict[str, Any]) -> None:
    assert sessions.purge(now=timezone.now()) == 0
    assert sessions.purge(now=timezone.now() + timedelta(days=60)) == 1
