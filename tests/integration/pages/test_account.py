"""Signing in, registering, the profile, the email address and the password, as people meet them on the pages."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from multitask.payments.models import Notice
from multitask.users import mail, sessions
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import mailbag
from tests.integration.pages.codes import PASSWORD
from tests.integration.pages.reading import MOST_STATEMENTS, text_of
from tests.payments_world import World

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


@pytest.mark.parametrize("name", ["ada", "ADA@example.com"])
def test_either_name_signs_in_and_leads_back_to_where_one_wanted(ada: User, name: str) -> None:
    found = Client()
    asked = found.get("/wallet/")
    assert asked["Location"] == "/sign-in/?next=/wallet/"
    answer = found.post("/sign-in/", {"identifier": name, "password": PASSWORD, "next": "/wallet/"})
    assert answer["Location"] == "/wallet/"
    assert is_in(found)


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_led_elsewhere(ada: User, elsewhere: str) -> None:
    answer = Client().post("/sign-in/", {"identifier": "ada", "password": PASSWORD, "next": elsewhere})
    assert answer["Location"] == "/"


def test_a_wrong_password_is_said_and_the_name_stays(ada: User) -> None:
    answer = Client().post("/sign-in/", {"identifier": "ada", "password": "guess"})
    assert answer.status_code == 422
    assert "The name or the password is not right." in text_of(answer)
    assert 'value="ada"' in answer.content.decode()
    assert "guess" not in answer.content.decode()


def test_guessing_is_slowed_down(ada: User) -> None:
    for _ in range(10):
        Client().post("/sign-in/", {"identifier": "ada", "password": "guess"})
    answer = Client().post("/sign-in/", {"identifier": "ada", "password": PASSWORD})
    assert "Too many attempts." in text_of(answer)


@pytest.mark.parametrize("page", ["/sign-in/", "/register/"])
def test_whoever_is_signed_in_is_led_on(browser: Client, page: str) -> None:
    answer = browser.get(f"{page}?next=/wallet/")

    assert (answer.status_code, answer["Location"]) == (302, "/wallet/")


def test_signing_out_ends_the_session(browser: Client) -> None:
    assert browser.get("/sign-out/").status_code == 405
    assert browser.post("/sign-out/")["Location"] == "/"
    assert not is_in(browser)


# -- registering

WANTED: dict[str, Any] = {
    "username": "grace",
    "email": "Grace@Example.com",
    "password": PASSWORD,
    "roles": ["is_client", "is_freelancer"],
    "time_zone": "Africa/Cairo",
}


def test_registering_takes_language_and_time_zone_from_the_browser() -> None:
    found = Client(headers={"Accept-Language": "ar"})
    assert found.post("/register/", WANTED).status_code == 302
    grace = User.objects.get()
    assert (grace.email, grace.language, grace.time_zone) == ("grace@example.com", "ar", "Africa/Cairo")
    assert (grace.is_client, grace.is_freelancer) == (True, True)
    assert is_in(found)


@pytest.mark.parametrize(
    ("zone", "place"),
    [
        ("Africa/Cairo", ("EG", "EGP")),
        ("Europe/Berlin", ("DE", "EUR")),
        ("Europe/London", ("GB", "GBP")),
        ("Asia/Riyadh", ("US", "USD")),  # Nothing is paid in SAR here, so it stays as it is for everybody.
        ("UTC", ("US", "USD")),
    ],
)
def test_the_currency_is_that_of_the_time_zone_where_it_is_used_here(zone: str, place: tuple[str, str]) -> None:
    Client().post("/register/", WANTED | {"time_zone": zone})
    user = User.objects.get()
    assert (user.country, user.default_currency) == place


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd"])
def test_a_zone_that_nobody_knows_is_utc(zone: str) -> None:
    Client().post("/register/", WANTED | {"time_zone": zone})
    assert User.objects.get().time_zone == "UTC"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"username": "ada"}, "This username is taken."),
        ({"email": "nobody"}, "This is not an email address."),
        ({"password": "12345678901"}, "This password is entirely numeric."),
        ({"roles": []}, "This field is required."),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_the_rest_stays(ada: User, changes: Any, said: str) -> None:
    answer = Client().post("/register/", WANTED | changes)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert said in html
    assert 'aria-invalid="true"' in html or "roles-error" in html
    assert User.objects.count() == 1


def test_one_address_registers_only_so_many(settings: Settings) -> None:
    settings.REGISTRATIONS_PER_ADDRESS = 2
    answers = [
        Client().post("/register/", WANTED | {"username": f"grace{each}", "email": f"g{each}@example.com"})
        for each in range(3)
    ]
    assert [answer.status_code for answer in answers] == [302, 302, 422]
    assert "Too many attempts." in text_of(answers[-1])
    assert User.objects.count() == 2
    assert signed_in("grace0").get("/").status_code == 200


# -- the profile


def change_profile(browser: Client, **changes: str) -> Any:
    form = {"language": "en", "time_zone": "UTC", "default_currency": "USD", "is_client": "on"}
    return browser.post("/profile/", form | changes)


def test_a_profile_is_changed_and_says_so_in_the_new_language(browser: Client, ada: User) -> None:
    browser.cookies["django_language"] = "en"
    answer = change_profile(browser, language="ar", time_zone="Africa/Cairo", default_currency="EGP")
    assert answer["Location"] == "/profile/"
    ada.refresh_from_db()
    assert (ada.language, ada.time_zone, ada.default_currency) == ("ar", "Africa/Cairo", "EGP")
    assert '<html lang="ar" dir="rtl"' in browser.get("/profile/").content.decode()


def test_the_language_of_a_device_wins_over_the_profiles(browser: Client, ada: User) -> None:
    User.objects.update(language="ar")
    assert 'lang="ar"' in browser.get("/").content.decode()
    browser.post("/preferences/", {"language": "en", "theme": "auto", "next": "/"})
    assert '<html lang="en"' in browser.get("/").content.decode()
    assert '<html lang="ar"' in signed_in("ada").get("/").content.decode()


def test_times_are_shown_in_the_readers_zone_and_in_nobody_elses(browser: Client, ada: User) -> None:
    moment = timezone.now().replace(2026, 1, 15, 22, 30, 0, 0)
    Notice.objects.create(user=ada, kind="account_enabled", reference="once", created_at=moment)
    User.objects.update(time_zone="Asia/Tokyo")
    assert "Jan 16, 2026, 7:30:00" in text_of(browser.get("/notices/"))
    User.objects.update(time_zone="America/New_York")
    assert "Jan 15, 2026, 5:30:00" in text_of(browser.get("/notices/"))
    Client().get("/sign-in/")
    assert timezone.get_current_timezone_name() == "UTC"


# A removed name, a path that Python would open, and files beside the zones that PostgreSQL does not know.
@pytest.mark.parametrize("name", ["Mars/Olympus", "", "Europe", "localtime", "posix/Europe/Berlin"])
def test_a_stored_zone_that_is_not_known_counts_as_utc(browser: Client, ada: User, name: str) -> None:
    moment = timezone.now().replace(2026, 1, 15, 22, 30, 0, 0)
    Notice.objects.create(user=ada, kind="account_enabled", reference="once", created_at=moment)
    User.objects.update(time_zone=name)
    assert "Jan 15, 2026, 10:30:00" in text_of(browser.get("/notices/"))
    assert "· UTC" in text_of(browser.get("/transactions/statement/"))
    assert browser.get("/payments/wallet/transactions/?from=2026-01-15").status_code == 200
    ada.refresh_from_db()
    with mail.in_language_of(ada):
        assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize("name", ["Mars/Olympus", "localtime", "posix/Europe/Berlin"])
def test_the_back_office_counts_by_day_for_staff_whose_zone_is_not_known(
    world: World, sign_in: Callable[[Actor], Client], name: str
) -> None:
    browser = sign_in(world.staff("admin"))
    User.objects.update(time_zone=name)
    assert browser.get("/backoffice/").status_code == 200


def test_a_stored_zone_that_is_not_known_does_not_keep_the_profile_from_being_saved(browser: Client, ada: User) -> None:
    User.objects.update(time_zone="Mars/Olympus")
    chosen = re.search(r"<option selected>([^<]*)</option>", browser.get("/profile/").content.decode())
    assert chosen is not None
    assert change_profile(browser, time_zone=chosen[1], language="ar").status_code == 302
    ada.refresh_from_db()
    assert (ada.time_zone, ada.language) == ("UTC", "ar")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"is_client": ""}, "Be a client, a freelancer or both."),
        ({"time_zone": "Mars/Olympus"}, "Select a valid choice."),
        ({"default_currency": "USDT"}, "Select a valid choice."),
        ({"language": "tlh"}, "Select a valid choice."),
    ],
)
def test_a_bad_profile_is_refused_beside_its_field(browser: Client, ada: User, changes: Any, said: str) -> None:
    answer = change_profile(browser, **changes)
    assert answer.status_code == 422
    assert said in text_of(answer)
    ada.refresh_from_db()
    assert (ada.is_client, ada.time_zone, ada.default_currency) == (True, "UTC", "USD")


# -- the email address


def ask_for_email(browser: Client, email: str, password: str = PASSWORD) -> Any:
    return browser.post("/profile/email/", {"email": email, "current": password})


def test_a_new_address_counts_once_it_has_confirmed_itself(browser: Client, ada: User) -> None:
    assert ask_for_email(browser, "New@Example.com").status_code == 302
    letter, warning = mailbag.empty()
    assert (letter.to, warning.to) == (["new@example.com"], ["ada@example.com"])
    assert warning.subject == "A change of your email address was asked for"
    link = mailbag.path_in(letter)
    assert "new@example.com" in text_of(Client().get(link))
    assert User.objects.get().email == "ada@example.com"
    assert Client().post(link)["Location"] == "/sign-in/"
    assert User.objects.get().email == "new@example.com"
    (news,) = mailbag.empty()
    assert (news.to, news.subject) == (["ada@example.com"], "Your email address was changed")
    again = Client().post(link)
    assert again.status_code == 404
    assert "This link was used already or is too old." in text_of(again)


def test_an_address_that_somebody_has_gets_no_link_and_nothing_is_said_of_it(browser: Client) -> None:
    User.objects.create_user("eve", "eve@example.com", PASSWORD, is_client=True)
    taken, free = (ask_for_email(browser, address) for address in ("eve@example.com", "free@example.com"))
    assert (taken.status_code, taken["Location"]) == (free.status_code, free["Location"])
    mine = ["ada@example.com"]
    assert [letter.to for letter in mailbag.empty()] == [mine, ["free@example.com"], mine]


def test_an_address_that_was_taken_meanwhile_is_refused(browser: Client) -> None:
    ask_for_email(browser, "new@example.com")
    link = mailbag.path_in(mailbag.empty()[0])
    User.objects.create_user("eve", "new@example.com", PASSWORD, is_client=True)
    answer = browser.post(link)
    assert answer.status_code == 404
    assert "This link was used already or is too old." in text_of(answer)
    assert User.objects.get(username="ada").email == "ada@example.com"


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("new@example.com", "guess", "Your present password is not right."),
        ("nobody", PASSWORD, "This is not an email address."),
        ("ADA@example.com", PASSWORD, "This is your address already."),
        ("a@b.example\r\nBcc: eve@example.com", PASSWORD, "This is not an email address."),
    ],
)
def test_a_bad_change_of_email_is_refused(browser: Client, email: str, password: str, said: str) -> None:
    answer = ask_for_email(browser, email, password)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert mailbag.waiting() == []


@pytest.mark.parametrize("made_for", ["nobody", "something else"])
def test_a_link_that_is_not_ours_confirms_nothing(ada: User, made_for: str) -> None:
    # Signed in the test: a value that changes with the clock would give each worker other tests.
    signed = signing.dumps({"user": 1, "from": "a", "to": "b"}, salt="another")
    token = "nonsense" if made_for == "nobody" else signed
    answer = Client().post(f"/profile/email/confirm/{token}/")
    assert answer.status_code == 404
    assert User.objects.get().email == "ada@example.com"


# -- the password


def test_a_new_password_ends_every_other_session_and_every_token(browser: Client, ada: User) -> None:
    other = signed_in("ada")
    token = sessions.begin(user_id=ada.pk, now=timezone.now(), lifetime=timedelta(days=1))
    answer = browser.post("/password/change/", {"current": PASSWORD, "password": NEW})
    assert answer["Location"] == "/profile/"
    assert is_in(browser)
    assert not is_in(other)
    assert sessions.user_of(user_id=ada.pk, family=token.family) is None
    assert is_in(signed_in("ada@example.com", NEW))
    assert [letter.subject for letter in mailbag.empty()] == ["Your password was changed"]


@pytest.mark.parametrize(
    ("current", "password", "said"),
    [
        ("guess", NEW, "Your present password is not right."),
        (PASSWORD, "short", "This password is too short."),
        (PASSWORD, "ada@example.com", "too similar to the email"),
        (PASSWORD, "", "This field is required."),
    ],
)
def test_a_bad_new_password_is_refused(browser: Client, current: str, password: str, said: str) -> None:
    answer = browser.post("/password/change/", {"current": current, "password": password})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert User.objects.get().check_password(PASSWORD)


def test_whoever_found_an_open_session_cannot_guess_the_password(browser: Client) -> None:
    for _ in range(10):
        browser.post("/password/change/", {"current": "guess", "password": NEW})
    answer = browser.post("/password/change/", {"current": PASSWORD, "password": NEW})
    assert "Too many attempts." in text_of(answer)
    assert User.objects.get().check_password(PASSWORD)


# -- a lost password


@pytest.mark.parametrize("path", ["/profile/", "/profile/email/", "/password/change/", "/security/", "/notices/"])
def test_a_page_takes_few_statements_and_is_small(browser: Client, path: str) -> None:
    with CaptureQueriesContext(connection) as taken:
        answer = browser.get(path)
    assert answer.status_code == 200
    assert len(taken) <= MOST_STATEMENTS, [each["sql"] for each in taken]
    assert len(answer.content) < 50_000
    assert answer.content.decode().count("<h1") == 1


def test_the_profile_offers_each_zone_once_and_keeps_another_name_of_it(browser: Client, ada: User) -> None:
    User.objects.update(time_zone="Asia/Calcutta")

    written = browser.get("/profile/").content.decode()

    assert "<option selected>Asia/Calcutta</option>" in written
    assert "<option>Europe/Berlin</option>" in written
    assert "<option>US/Eastern</option>" not in written
