"""Requests with an access token skip the middleware of pages, and are answered as before."""

import time
import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation

from multitask.users import sessions
from multitask.users.models import User
from multitask.web.api import tokens
from tests.acceptance import clients

WALLET = "/payments/wallet/"

pytestmark = pytest.mark.django_db


def test_the_answer_has_the_headers_that_protect_it_and_sets_no_cookie() -> None:
    caller = clients.person()
    answer = caller.get(WALLET)
    page = Client().get("/sign-in/")
    assert answer.status == 200
    assert answer.headers["X-Frame-Options"] == page["X-Frame-Options"] == "DENY"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert "Set-Cookie" not in answer.headers


def test_errors_have_the_same_headers() -> None:
    answer = clients.Caller(Client(), token="nonsense").get(WALLET)
    assert (answer.status, answer.code) == (401, "invalid_token")
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "Content-Security-Policy" in answer.headers


def test_a_host_that_is_not_ours_is_refused() -> None:
    assert clients.person().get(WALLET, HOST="elsewhere.example").status == 400


def test_an_address_without_its_slash_is_redirected_with_its_method() -> None:
    answer = clients.person().get(WALLET.rstrip("/"))
    assert (answer.status, answer.headers["Location"]) == (308, WALLET)


def test_head_has_the_length_and_no_body() -> None:
    caller = clients.person()
    answer = caller.http.head(WALLET, headers={"Authorization": f"Bearer {caller.token}"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer["Content-Length"]) > 0


def signed_in(user: User) -> Client:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user, backend="multitask.users.backends.UsernameOrEmailBackend")
    return browser


def test_the_session_of_a_page_reads_and_needs_the_csrf_token_to_write() -> None:
    browser = signed_in(clients.person(client=True).user)
    assert browser.get(WALLET).status_code == 200
    refused = browser.post("/api/tasks/create/", {}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")


def test_a_wrong_token_is_refused_although_the_session_of_a_page_is_right() -> None:
    browser = signed_in(clients.person().user)
    assert browser.get(WALLET, headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_another_scheme_leaves_the_session_of_a_page() -> None:
    browser = signed_in(clients.person().user)
    assert browser.get(WALLET, headers={"Authorization": "Basic nonsense"}).status_code == 200


def test_the_language_of_the_threads_last_request_does_not_stay() -> None:
    caller = clients.person()
    translation.activate("ar")
    assert caller.get(WALLET).status == 200
    assert translation.get_language() == "en"


def test_a_token_that_was_accepted_is_refused_once_it_has_expired() -> None:
    caller = clients.person()
    session = sessions.begin(user_id=caller.user.pk, now=timezone.now(), lifetime=tokens.refresh_lifetime())
    ends = timezone.now() + timedelta(seconds=2)
    brief = tokens.access_for(session, now=ends - timedelta(minutes=settings.ACCESS_TOKEN_MINUTES))
    assert tokens.read_access(brief).user_id == caller.user.pk
    time.sleep(2.1)
    with pytest.raises(tokens.InvalidToken):
        tokens.read_access(brief)


def test_an_access_token_does_not_refresh_although_it_was_accepted() -> None:
    token = tokens.access(user_id=1, session=uuid.uuid4(), now=timezone.now(), proved_at=None)
    assert tokens.read_access(token).user_id == 1
    with pytest.raises(tokens.InvalidToken):
        tokens.read_refresh(token)


def test_a_closed_account_and_an_ended_session_count_at_the_next_request() -> None:
    closed, ended = clients.person(), clients.person()
    assert (closed.get(WALLET).status, ended.get(WALLET).status) == (200, 200)
    User.objects.filter(pk=closed.user.pk).update(is_active=False)
    sessions.end_all(user_id=ended.user.pk, now=timezone.now())
    assert (closed.get(WALLET).status, ended.get(WALLET).status) == (401, 401)
