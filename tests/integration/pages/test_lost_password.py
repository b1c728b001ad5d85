"""A lost password: the email, its link, and that neither reveals whether an account exists."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from multitask.users import credentials, sessions
from multitask.users.actor import Actor
from multitask.users.credentials import LinkInvalid
from multitask.users.models import LoginAttempt, User
from tests import mailbag
from tests.integration import races
from tests.integration.pages.codes import PASSWORD
from tests.integration.pages.reading import text_of

pytestmark = pytest.mark.django_db

NEW = "a-much-better-secret"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", "ada@example.com", PASSWORD, is_client=True)


@pytest.fixture
def browser(ada: User) -> Client:
    return signed_in("ada")


def signed_in(name: str, password: str = PASSWORD) -> Client:
    """A browser of somebody who has signed in."""
    found = Client()
    assert found.post("/sign-in/", {"identifier": name, "password": password}).status_code == 302
    return found


def is_in(found: Client) -> bool:
    return found.get("/profile/").status_code == 200


# -- signing in


def ask_for_reset(address: str) -> Any:
    return Client().post("/password/forgotten/", {"email": address})


def reset_link(address: str = "ada@example.com") -> str:
    ask_for_reset(address)
    return mailbag.path_in(mailbag.empty()[0])


def test_a_lost_password_is_replaced_by_a_link_that_works_once(browser: Client, ada: User) -> None:
    token = sessions.begin(user_id=ada.pk, now=timezone.now(), lifetime=timedelta(days=1))
    link = reset_link("ADA@example.com")
    assert "For the account ada." in text_of(Client().get(link))
    weak = Client().post(link, {"password": "12345678"})
    assert weak.status_code == 422
    assert Client().post(link, {"password": NEW})["Location"] == "/sign-in/"
    assert is_in(signed_in("ada", NEW))
    assert not is_in(browser)
    assert sessions.user_of(user_id=ada.pk, family=token.family) is None
    again = Client().post(link, {"password": "another-good-secret"})
    assert again.status_code == 404
    assert User.objects.get().check_password(NEW)


def test_a_link_still_works_after_its_owner_has_signed_in(ada: User) -> None:
    link = reset_link()
    assert is_in(signed_in("ada"))
    assert Client().get(link).status_code == 200
    assert Client().post(link, {"password": NEW})["Location"] == "/sign-in/"
    assert is_in(signed_in("ada", NEW))
    assert Client().post(link, {"password": PASSWORD}).status_code == 404


@pytest.mark.parametrize("end", ["password", "address", "sessions"])
def test_a_link_ends_with_what_it_was_made_for(ada: User, end: str) -> None:
    link = reset_link()
    if end == "password":
        credentials.change_password(actor=Actor.of(ada), now=timezone.now(), current=PASSWORD, password=NEW)
    elif end == "address":
        User.objects.update(email="new@example.com")
    else:
        sessions.end_all(user_id=ada.pk, now=timezone.now())
    assert Client().get(link).status_code == 404


def test_nobody_learns_whether_an_address_has_an_account(ada: User) -> None:
    with CaptureQueriesContext(connection) as of_known:
        known = ask_for_reset("ada@example.com")
    with CaptureQueriesContext(connection) as of_unknown:
        unknown = ask_for_reset("nobody@example.com")
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(of_known) == len(of_unknown)
    assert [letter.to for letter in mailbag.empty()] == [["ada@example.com"]]


def test_a_letter_speaks_its_readers_language(ada: User) -> None:
    User.objects.update(language="ar")
    ask_for_reset("ada@example.com")
    (letter,) = mailbag.empty()
    assert 'dir="rtl"' in str(letter.alternatives[0][0])  # type: ignore[attr-defined]


def test_an_account_that_was_closed_gets_no_link(ada: User) -> None:
    link = reset_link()
    User.objects.update(is_active=False)
    assert Client().get(link).status_code == 404
    ask_for_reset("ada@example.com")
    assert mailbag.empty() == []


def test_a_mailbox_is_not_flooded(ada: User) -> None:
    answers = [ask_for_reset("ada@example.com") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [302, 302, 302, 422]
    assert "Too many attempts." in text_of(answers[-1])
    assert signed_in("ada").get("/").status_code == 200


@pytest.mark.parametrize("address", ["", "nobody", "a" * 260 + "@example.com"])
def test_what_is_no_address_is_refused(address: str) -> None:
    assert ask_for_reset(address).status_code == 422
    assert not LoginAttempt.objects.exists()


def test_a_link_is_good_for_an_hour(ada: User, settings: Settings) -> None:
    link = reset_link()
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert Client().get(link).status_code == 404


@pytest.mark.parametrize("name", ["MQ", "%FF", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "w6k", "LTE"])
def test_a_made_up_link_is_no_fault(ada: User, name: str) -> None:
    assert Client().get(f"/password/reset/{name}/c0ffee-c0ffee/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_one_link_at_once_one_is_refused(ada: User) -> None:
    name, token = reset_link().split("/")[3:5]
    passwords = [f"{NEW}-{each}" for each in range(4)]

    def use(password: str) -> Any:
        return lambda: credentials.reset_password(
            actor=Actor.visitor(ip="203.0.113.9"), now=timezone.now(), name=name, token=token, password=password
        )

    answers = races.together([use(password) for password in passwords])
    won = [answer for answer in answers if isinstance(answer, User)]
    assert len(won) == 1
    assert all(isinstance(answer, User | LinkInvalid) for answer in answers)


# -- the cost of it
