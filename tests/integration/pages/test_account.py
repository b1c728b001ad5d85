"""Signing in, registering, the profile, the email address and the password, as people meet them on the pages."""

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
from multitask.users import credentials, sessions
from multitask.users.actor import Actor
from multitask.users.credentials import LinkInvalid
from multitask.users.models import LoginAttempt, User
from tests import mailbag
from tests.integration import races
from tests.integration.pages.codes import PASSWORD
from tests.integration.pages.reading import MOST_STATEMENTS, text_of

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


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd"])
def test_a_zone_that_nobody_knows_is_utc(zone: str) -> None:
    Client().post("/register/", WANTED | {"time_zone": zone})
    assert User.objects.get().time_zone == "UTC"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"username": "ada"}, "This username is taken."),
        ({"email": "ADA@example.com"}, "There is an account with this email address."),
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


def test_a_zone_that_has_ceased_to_exist_is_no_fault(browser: Client) -> None:
    User.objects.update(time_zone="Mars/Olympus")
    assert browser.get("/notices/").status_code == 200


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
    (letter,) = mailbag.empty()
    assert letter.to == ["new@example.com"]
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
    assert [letter.to for letter in mailbag.empty()] == [["free@example.com"]]


def test_an_address_that_was_taken_meanwhile_is_refused(browser: Client) -> None:
    ask_for_email(browser, "new@example.com")
    link = mailbag.path_in(mailbag.empty()[0])
    User.objects.create_user("eve", "new@example.com", PASSWORD, is_client=True)
    answer = browser.post(link)
    assert answer.status_code == 404
    assert "There is an account with this email address already." in text_of(answer)


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


@pytest.mark.parametrize("token", ["nonsense", signing.dumps({"user": 1, "from": "a", "to": "b"}, salt="another")])
def test_a_link_that_is_not_ours_confirms_nothing(ada: User, token: str) -> None:
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


@pytest.mark.parametrize("path", ["/profile/", "/profile/email/", "/password/change/", "/security/", "/notices/"])
def test_a_page_takes_few_statements_and_is_small(browser: Client, path: str) -> None:
    with CaptureQueriesContext(connection) as taken:
        answer = browser.get(path)
    assert answer.status_code == 200
    assert len(taken) <= MOST_STATEMENTS, [each["sql"] for each in taken]
    assert len(answer.content) < 50_000
    assert answer.content.decode().count("<h1") == 1
