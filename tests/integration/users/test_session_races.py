"""Sessions that are ended while they are refreshed: after the answer, none goes on."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.users import accounts, addresses, credentials, logins, second_factor, sessions
from multitask.users.actor import Actor
from multitask.users.models import RefreshToken, User
from multitask.users.reset_tokens import reset_tokens
from tests import mailbag
from tests.acceptance.clients import Caller
from tests.integration import races
from tests.integration.pages.codes import PASSWORD, fresh_code, switch_on
from tests.integration.pages.test_account import is_in, signed_in

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
LIFETIME = timedelta(days=1)
NEW = "a-much-better-secret"
VISITOR = Actor.visitor(ip="203.0.113.9")
ROUNDS = 25
SESSIONS = 4


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com", PASSWORD, is_client=True)


def change_password(ada: User, first: RefreshToken) -> None:
    credentials.change_password(actor=Actor.of(ada), now=NOW, current=PASSWORD, password=NEW)


def reset_password(ada: User, first: RefreshToken) -> None:
    # As the user is now: sessions may have been ended since the account was made.
    name = urlsafe_base64_encode(force_bytes(ada.pk))
    token = reset_tokens.make_token(User.objects.get(pk=ada.pk))
    credentials.reset_password(actor=VISITOR, now=NOW, name=name, token=token, password=NEW)


def close_account(ada: User, first: RefreshToken) -> None:
    accounts.deactivate(actor=Actor.system("test"), now=NOW, user_id=ada.pk)


def log_out(ada: User, first: RefreshToken) -> None:
    sessions.end(family=first.family, now=NOW)


def use_again(ada: User, first: RefreshToken) -> None:
    with pytest.raises(sessions.SessionEnded):
        sessions.rotate(jti=first.jti, now=NOW, lifetime=LIFETIME)


def rotating(token: RefreshToken, has_begun: threading.Event, has_ended: threading.Event) -> Callable[[], None]:
    """Refresh a session again and again, until it ends or others have been answered that it has."""

    def rotate() -> None:
        newest = token
        while not has_ended.is_set():
            newest = sessions.rotate(jti=newest.jti, now=NOW, lifetime=LIFETIME)
            has_begun.set()

    return rotate


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ending", [change_password, reset_password, close_account, log_out, use_again])
def test_no_session_outlives_its_end_however_it_is_refreshed_meanwhile(ada: User, ending: Callable[..., None]) -> None:
    """One session for what ends one, several for what ends all."""
    number = 1 if ending in (log_out, use_again) else SESSIONS
    for _ in range(ROUNDS if number == 1 else ROUNDS // 3):
        User.objects.filter(pk=ada.pk).update(password=ada.password, is_active=True)
        tokens = [sessions.begin(user_id=ada.pk, now=NOW, lifetime=LIFETIME) for _ in range(number)]
        has_begun, has_ended = threading.Event(), threading.Event()

        def end(first: RefreshToken = tokens[0], begun: Any = has_begun, ended: Any = has_ended) -> None:
            assert begun.wait(races.WAIT_SECONDS)
            try:
                ending(ada, first)
            finally:
                ended.set()

        answers = races.together([rotating(token, has_begun, has_ended) for token in tokens] + [end])

        assert answers[-1] is None, answers[-1]
        assert all(answer is None or isinstance(answer, sessions.SessionEnded) for answer in answers[:-1]), answers
        assert not RefreshToken.objects.filter(user=ada, revoked_at=None).exists()


def login(password: str = PASSWORD) -> Any:
    return Caller(Client()).post("/api/auth/login/", {"username": "ada", "password": password})


@pytest.mark.django_db(transaction=True)
def test_a_login_with_the_old_password_does_not_outlive_the_change(ada: User) -> None:
    for _ in range(4):
        User.objects.filter(pk=ada.pk).update(password=ada.password)

        def change() -> Any:
            return credentials.change_password(actor=Actor.of(ada), now=timezone.now(), current=PASSWORD, password=NEW)

        answers = races.together([login, login, change, login, login, login])

        assert isinstance(answers.pop(2), User)
        assert {answer.status for answer in answers} <= {200, 401}
        for answer in answers:
            if answer.status == 200:
                caller = Caller(Client(), token=answer.json["access"])
                assert caller.get("/api/auth/profile/").status == 401
                refreshed = Caller(Client()).post("/api/auth/token/refresh/", {"refresh": answer.json["refresh"]})
                assert refreshed.status == 401


@pytest.mark.django_db(transaction=True)
def test_a_log_out_ends_a_page_session_that_gets_another_key_meanwhile(ada: User) -> None:
    for _ in range(6):
        User.objects.filter(pk=ada.pk).update(password=ada.password)
        leaving, changing = signed_in("ada"), Client()
        changing.cookies["sessionid"] = leaving.cookies["sessionid"].value

        answers = races.together(
            [
                lambda browser=leaving: browser.post("/sign-out/"),
                lambda browser=changing: browser.post("/password/change/", {"current": PASSWORD, "password": NEW}),
            ]
        )

        assert answers[0].status_code == 302
        assert not is_in(changing)
        assert not is_in(leaving)


# -- between the proof and the session


def turn_on(ada: User) -> None:
    switch_on(ada)


def replace_factor(ada: User) -> None:
    second_factor.switch_off(actor=Actor.of(ada), now=timezone.now(), code=fresh_code(ada.pk))
    switch_on(ada)


def reopen(ada: User) -> None:
    close_account(ada, RefreshToken())
    accounts.reactivate(actor=Actor.system("test"), now=NOW, user_id=ada.pk)


@pytest.mark.parametrize(
    "change",
    [lambda ada: change_password(ada, RefreshToken()), lambda ada: close_account(ada, RefreshToken()), reopen, turn_on],
    ids=["password", "closed", "closed and opened", "second factor"],
)
def test_a_session_does_not_begin_on_what_was_proved_before_a_change(ada: User, change: Callable[[User], None]) -> None:
    proof = logins.prove_password(actor=VISITOR, now=NOW, identifier="ada", password=PASSWORD)
    change(ada)
    with pytest.raises(accounts.InvalidCredentials):
        logins.begin(proof=proof, now=NOW, lifetime=LIFETIME)
    assert not RefreshToken.objects.exists()


def test_a_proof_by_a_second_factor_that_was_replaced_counts_no_more(ada: User) -> None:
    switch_on(ada)
    now = timezone.now()
    proof = logins.prove_password(actor=VISITOR, now=now, identifier="ada", password=PASSWORD)
    proof = logins.prove_code(proof=proof, actor=VISITOR, now=now, code=fresh_code(ada.pk))
    replace_factor(ada)
    with pytest.raises(accounts.InvalidCredentials):
        logins.begin(proof=proof, now=now, lifetime=LIFETIME)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", range(6))
def test_what_the_old_password_began_meanwhile_is_of_no_use_after_the_new_one(ada: User, place: int) -> None:
    """A second factor that is being set up, and a change of address, race with a new password."""
    actor = Actor.of(ada, ip="203.0.113.9")
    begin = partial(second_factor.begin, actor=actor, now=NOW, password=PASSWORD)
    move = partial(addresses.ask_for_change, actor=actor, now=NOW, current=PASSWORD, email="eve@example.com")
    change = partial(credentials.change_password, actor=actor, now=NOW, current=PASSWORD, password=NEW)

    answers = races.together([begin, move, change])

    assert isinstance(answers[2], User), answers
    assert not TOTPDevice.objects.exists()
    links = [mailbag.path_in(letter) for letter in mailbag.empty(NOW) if letter.to == ["eve@example.com"]]
    for link in links:
        assert Client().post(link).status_code == 404


def test_an_account_that_is_opened_again_has_none_of_its_sessions_back(ada: User) -> None:
    browser = signed_in("ada")
    token = sessions.begin(user_id=ada.pk, now=NOW, lifetime=LIFETIME)
    reopen(ada)
    assert not is_in(browser)
    assert sessions.user_of(user_id=ada.pk, family=token.family) is None
    assert is_in(signed_in("ada"))


def test_a_closed_account_changes_no_password(ada: User) -> None:
    name, token = urlsafe_base64_encode(force_bytes(ada.pk)), reset_tokens.make_token(ada)
    close_account(ada, RefreshToken())
    with pytest.raises(credentials.LinkInvalid):
        credentials.reset_password(actor=VISITOR, now=NOW, name=name, token=token, password=NEW)
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)
