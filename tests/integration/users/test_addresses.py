"""Addresses: what registering with one tells, who it belongs to, and where letters go."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from multitask.payments import emails
from multitask.payments.models import Notice
from multitask.users import accounts, addresses, credentials, letters, second_factor, sessions
from multitask.users.actor import Actor
from multitask.users.models import LoginAttempt, User
from multitask.users.throttle import TooManyAttempts
from tests import mailbag
from tests.acceptance.clients import Answer, Caller
from tests.integration import races
from tests.integration.pages.codes import PASSWORD, fresh_code, switch_on
from tests.integration.pages.reading import text_of
from tests.integration.pages.test_account import is_in, signed_in

pytestmark = pytest.mark.django_db

KELVIN, LONG_S, DOTLESS_I = "\u212a", "\u017f", "\u0131"
NEW = "a-much-better-secret"
IP = "203.0.113.9"


@pytest.fixture
def kate() -> User:
    """The owner of a confirmed address that strange letters could pass for."""
    return User.objects.create_user("kate.simon", "kate.simon@example.com", PASSWORD, is_client=True)


def visitor(last: int = 9) -> Actor:
    return Actor.visitor(ip=f"203.0.113.{last}")


def register(name: str, address: str, *, ip: int = 9) -> User:
    registration = accounts.Registration(username=name, email=address, password=PASSWORD, is_client=True)
    return accounts.register(actor=visitor(ip), now=timezone.now(), registration=registration)


def call(path: str, body: Any = None, token: str | None = None) -> Answer:
    return Caller(Client(), token=token).post(path, body)


def api_register(name: str, address: str) -> Answer:
    body = {"username": name, "email": address, "password": PASSWORD, "is_client": True}
    return call("/api/auth/register/", body)


def page_register(name: str, address: str) -> Any:
    form = {"username": name, "email": address, "password": PASSWORD, "roles": ["is_client"], "time_zone": ""}
    return Client().post("/register/", form)


def link_for(address: str) -> str:
    """The path of the only link that has gone out to an address."""
    (letter,) = [letter for letter in mailbag.empty() if letter.to == [address]]
    return mailbag.path_in(letter)


def token_for(address: str) -> str:
    return link_for(address).split("/")[-2]


# -- what registering tells


def test_registering_answers_alike_whether_the_address_is_free_or_taken(kate: User) -> None:
    answers = {}
    for name, address in (("free", "free@example.com"), ("taken", "Kate.Simon@example.com")):
        with CaptureQueriesContext(connection) as statements:
            answer = api_register(name, address)
        user = answer.json["user"]
        assert (answer.status, user["email"], user["email_confirmed"]) == (201, address.lower(), False)
        answers[name] = (set(answer.json), set(user), dict(answer.headers).keys(), len(statements))
    assert answers["free"] == answers["taken"]


def test_the_pages_answer_alike_too(kate: User) -> None:
    for address in ("free@example.com", "kate.simon@example.com"):
        answer = page_register(address[:4], address)
        assert (answer.status_code, answer["Location"]) == (302, "/")


def test_the_mailbox_of_a_taken_address_is_told_that_somebody_tried(kate: User) -> None:
    api_register("eve", "kate.simon@example.com")
    (letter,) = mailbag.empty()
    assert (letter.to, letter.subject) == (["kate.simon@example.com"], "You have an account already")
    assert "Hello kate.simon" in letter.body
    assert "/profile/email/confirm/" not in letter.body


@pytest.mark.parametrize("name", ["eve", "kate.simon@example.com"])
def test_whoever_registers_with_a_taken_address_signs_in_as_with_a_free_one(kate: User, name: str) -> None:
    registration = accounts.Registration(username="eve", email="kate.simon@example.com", password=NEW, is_client=True)
    eve = accounts.register(actor=visitor(), now=timezone.now(), registration=registration)
    signing_in = partial(accounts.authenticate, actor=visitor(), now=timezone.now(), identifier=name)
    assert signing_in(password=NEW) == eve
    if "@" in name:
        assert signing_in(password=PASSWORD) == kate


def test_with_one_password_the_account_that_has_confirmed_the_address_comes_first(kate: User) -> None:
    register("eve", "kate.simon@example.com")
    found = accounts.authenticate(
        actor=visitor(), now=timezone.now(), identifier="kate.simon@example.com", password=PASSWORD
    )
    assert found == kate


# -- confirming


def test_the_link_of_the_letter_confirms_the_address_and_may_be_used_again() -> None:
    token = api_register("ada", "ada@example.com").json["access"]
    caller = Caller(Client(), token=token)
    link = {"token": token_for("ada@example.com")}
    for _ in range(2):
        answer = call("/api/auth/email/confirm/", link)
        assert answer.status == 200
        assert caller.get("/api/auth/profile/").json["email_confirmed"] is True
    assert call("/api/auth/email/resend/", token=token).code == "email_already_confirmed"


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "é"])
def test_a_token_that_is_not_ours_confirms_nothing(token: str) -> None:
    answer = call("/api/auth/email/confirm/", {"token": token})
    assert (answer.status, answer.code) == (422, "link_invalid")


def test_the_pages_ask_to_confirm_until_it_is_done() -> None:
    page_register("ada", "ada@example.com")
    browser = signed_in("ada")
    assert "Confirm your email address." in text_of(browser.get("/"))
    assert "Not confirmed" in text_of(browser.get("/profile/"))
    link = link_for("ada@example.com")
    assert "For the account ada." in text_of(Client().get(link))
    assert not User.objects.get().email_confirmed
    assert Client().post(link)["Location"] == "/sign-in/"
    assert "Confirm your email address." not in text_of(browser.get("/"))
    assert "Not confirmed" not in text_of(browser.get("/profile/"))


def test_the_letter_is_sent_again_a_few_times() -> None:
    page_register("ada", "ada@example.com")
    browser = signed_in("ada")
    for _ in range(2):
        assert "We have sent the message again." in text_of(browser.post("/profile/email/resend/", follow=True))
    assert "Too many attempts." in text_of(browser.post("/profile/email/resend/", follow=True))
    assert [letter.to for letter in mailbag.empty()] == [["ada@example.com"]] * 3
    token = call("/api/auth/login/", {"username": "ada", "password": PASSWORD}).json["access"]
    refused = call("/api/auth/email/resend/", token=token)
    assert (refused.status, refused.code) == (429, "too_many_attempts")
    assert int(refused.headers["Retry-After"]) > 0


def test_nobody_has_a_letter_sent_without_signing_in() -> None:
    assert call("/api/auth/email/resend/").status == 401
    assert Client().post("/profile/email/resend/")["Location"].startswith("/sign-in/")


def test_of_two_who_named_an_address_the_first_to_confirm_has_it() -> None:
    first, second = register("ada", "ada@example.com"), register("eve", "ada@example.com", ip=10)
    written = [mailbag.path_in(letter).split("/")[-2] for letter in mailbag.empty()]
    now = timezone.now()
    assert addresses.confirm(actor=visitor(), now=now, token=written[1]) == second
    with pytest.raises(credentials.LinkInvalid):
        addresses.confirm(actor=visitor(), now=now, token=written[0])
    first.refresh_from_db()
    assert not first.email_confirmed


@pytest.mark.django_db(transaction=True)
def test_of_many_who_confirm_one_address_at_once_one_has_it() -> None:
    for number in range(6):
        register(f"ada{number}", "ada@example.com", ip=number)
    tokens = [mailbag.path_in(letter).split("/")[-2] for letter in mailbag.empty()]
    confirm = partial(addresses.confirm, actor=visitor(), now=timezone.now())
    answers = races.together([partial(confirm, token=token) for token in tokens])
    assert sum(isinstance(answer, User) for answer in answers) == 1
    assert all(isinstance(answer, User | credentials.LinkInvalid) for answer in answers)
    assert User.objects.filter(email_confirmed_at__isnull=False).count() == 1


# -- a lost password, and a change of address


def reset_links(address: str) -> list[str]:
    Client().post("/password/forgotten/", {"email": address})
    return [mailbag.path_in(letter) for letter in mailbag.empty() if "/password/reset/" in letter.body]


def test_a_reset_goes_to_who_has_confirmed_the_address(kate: User) -> None:
    register("eve", "kate.simon@example.com")
    (link,) = reset_links("KATE.simon@example.com")
    Client().post(link, {"password": NEW})
    assert User.objects.get(username="kate.simon").check_password(NEW)
    assert User.objects.get(username="eve").check_password(PASSWORD)


def test_a_reset_without_an_owner_goes_to_the_newest_and_confirms_the_address() -> None:
    register("ada", "ada@example.com")
    register("eve", "ada@example.com")
    (link,) = reset_links("ada@example.com")
    Client().post(link, {"password": NEW})
    eve = User.objects.get(username="eve")
    assert (eve.check_password(NEW), eve.email_confirmed) == (True, True)
    assert User.objects.get(username="ada").check_password(PASSWORD)


def test_a_reset_of_an_address_that_was_confirmed_meanwhile_does_nothing() -> None:
    register("ada", "ada@example.com")
    (link,) = reset_links("ada@example.com")
    User.objects.create_user("eve", "ada@example.com", PASSWORD, is_client=True)
    for answer in (Client().get(link), Client().post(link, {"password": NEW})):
        assert answer.status_code == 404
        assert "This link does not work" in text_of(answer)
    assert User.objects.get(username="ada").check_password(PASSWORD)


def test_others_cannot_use_up_the_links_of_an_owner_and_do_not_flood_the_mailbox(kate: User) -> None:
    ask = partial(credentials.ask_for_reset, now=timezone.now(), address="kate.simon@example.com")
    for last in range(100):
        ask(actor=visitor(last))
    ask(actor=Actor.visitor(ip="192.0.2.1"))
    links = [mailbag.path_in(letter) for letter in mailbag.empty()]
    assert len(links) == 6
    assert Client().get(links[0]).status_code == 200


def test_others_cannot_use_up_the_letters_that_confirm_an_address() -> None:
    for last in range(12):
        register(f"eve{last}", "ada@example.com", ip=last // 2)
    mailbag.empty()
    register("ada", "ada@example.com", ip=100)
    assert [letter.to for letter in mailbag.empty()] == [["ada@example.com"]]
    mine = Actor.of(User.objects.get(username="ada"), ip="203.0.113.100")
    with pytest.raises(TooManyAttempts):
        addresses.ask_for_confirmation(actor=mine, now=timezone.now())
    addresses.ask_for_confirmation(actor=mine, now=timezone.now() + timedelta(minutes=16))


def test_no_link_is_shown_with_its_button_once_somebody_else_has_confirmed_the_address() -> None:
    register("ada", "ada@example.com")
    link = link_for("ada@example.com")
    assert Client().get(link).status_code == 200
    User.objects.create_user("eve", "ada@example.com", PASSWORD, is_client=True)
    assert Client().get(link).status_code == 404
    assert Client().post(link).status_code == 404


# -- what ends a change of address


def asked_for_change(owner: User, address: str = "new@example.com") -> None:
    addresses.ask_for_change(actor=Actor.of(owner, ip=IP), now=timezone.now(), current=PASSWORD, email=address)


def change_password(owner: User) -> None:
    credentials.change_password(actor=Actor.of(owner, ip=IP), now=timezone.now(), current=PASSWORD, password=NEW)


def choose_password_by_link(owner: User) -> None:
    letters.post(letters.RESET, address=owner.email)
    (link,) = [mailbag.path_in(letter) for letter in mailbag.empty() if "/password/reset/" in letter.body]
    assert Client().post(link, {"password": NEW}).status_code == 302


def end_all_sessions(owner: User) -> None:
    sessions.end_all(user_id=owner.pk, now=timezone.now())


ENDS: dict[str, Callable[[User], Any]] = {
    "a new password": change_password,
    "a reset": choose_password_by_link,
    "the end of all sessions": end_all_sessions,
    "a second factor": switch_on,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_change_of_address_that_was_asked_for_before_ends_with_it(kate: User, end: Callable[[User], Any]) -> None:
    asked_for_change(kate)
    link = link_for("new@example.com")
    end(kate)
    for answer in (Client().get(link), Client().post(link)):
        assert answer.status_code == 404
    assert call("/api/auth/email/confirm/", {"token": link.split("/")[-2]}).code == "link_invalid"
    assert User.objects.get().email == "kate.simon@example.com"


def test_a_second_factor_that_is_switched_off_ends_a_change_of_address_too(kate: User) -> None:
    switch_on(kate)
    asked_for_change(kate)
    link = link_for("new@example.com")
    second_factor.switch_off(actor=Actor.of(kate, ip=IP), now=timezone.now(), code=fresh_code(kate.pk))
    assert Client().post(link).status_code == 404


def test_a_letter_that_is_written_after_a_new_password_holds_no_link_that_works(kate: User) -> None:
    asked_for_change(kate)
    change_password(kate)
    assert Client().post(link_for("new@example.com")).status_code == 404


def test_a_change_of_address_outlives_a_change_of_the_secret_key(kate: User, settings: Settings) -> None:
    asked_for_change(kate)
    link = link_for("new@example.com")
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-key-for-signing-everything"
    assert Client().post(link).status_code == 302


def test_the_link_of_a_change_works_once_even_when_the_address_was_changed_back(kate: User) -> None:
    asked_for_change(kate)
    first = link_for("new@example.com")
    assert Client().post(first).status_code == 302
    kate.refresh_from_db()
    asked_for_change(kate, "kate.simon@example.com")
    (back,) = [mailbag.path_in(letter) for letter in mailbag.empty() if "/email/confirm/" in letter.body]
    assert Client().post(back).status_code == 302
    for link in (first, back):
        assert Client().get(link).status_code == 404
        assert Client().post(link).status_code == 404
    assert User.objects.get().email == "kate.simon@example.com"


@pytest.mark.parametrize(
    ("language", "subject"),
    [("en", "A change of your email address was asked for"), ("ar", "طُلب تغيير بريدك الإلكتروني")],
)
def test_the_confirmed_address_is_told_that_a_change_was_asked_for(kate: User, language: str, subject: str) -> None:
    User.objects.update(language=language)
    asked_for_change(kate)
    (letter,) = [letter for letter in mailbag.empty() if letter.to == ["kate.simon@example.com"]]
    assert letter.subject == subject
    assert mailbag.path_in(letter) == "/password/forgotten/"
    assert "new@example.com" not in letter.body


def test_an_address_that_was_never_confirmed_is_not_told_of_a_change() -> None:
    ada = register("ada", "ada@example.com")
    mailbag.empty()
    asked_for_change(ada)
    assert [letter.to for letter in mailbag.empty()] == [["new@example.com"]]


# -- the address of a closed account


@pytest.fixture
def closed(kate: User) -> User:
    User.objects.update(is_active=False)
    return kate


def test_the_address_of_a_closed_account_can_be_registered_and_confirmed(closed: User) -> None:
    register("eve", "kate.simon@example.com")
    link = link_for("kate.simon@example.com")
    assert Client().get(link).status_code == 200
    assert Client().post(link).status_code == 302
    confirmed = User.objects.get(email_confirmed_at__isnull=False)
    assert confirmed.username == "eve"


def test_who_changes_to_the_address_of_a_closed_account_gets_it(closed: User) -> None:
    eve = User.objects.create_user("eve", "eve@example.com", PASSWORD, is_client=True)
    asked_for_change(eve, "kate.simon@example.com")
    assert Client().post(link_for("kate.simon@example.com")).status_code == 302
    eve.refresh_from_db()
    assert (eve.email, eve.email_confirmed) == ("kate.simon@example.com", True)


def test_a_reset_goes_past_closed_accounts_and_confirms_the_address(closed: User) -> None:
    register("ada", "kate.simon@example.com")
    shut = register("eve", "kate.simon@example.com")
    User.objects.filter(pk=shut.pk).update(is_active=False)
    mailbag.empty()
    (link,) = reset_links("kate.simon@example.com")
    assert Client().post(link, {"password": NEW}).status_code == 302
    ada = User.objects.get(username="ada")
    assert (ada.check_password(NEW), ada.email_confirmed) == (True, True)


def test_an_account_that_is_opened_again_has_its_address_if_nobody_took_it(closed: User) -> None:
    register("eve", "kate.simon@example.com")
    link = link_for("kate.simon@example.com")
    User.objects.filter(pk=closed.pk).update(is_active=True)
    assert Client().get(link).status_code == 404
    assert Client().post(link).status_code == 404
    closed.refresh_from_db()
    assert closed.email_confirmed


# -- news to a mailbox that nobody has confirmed


def news_to(user: User, number: int, now: datetime) -> bool:
    notice = Notice.objects.create(user=user, kind="account_enabled", reference=f"{number}", created_at=now)
    return emails.send(notice_id=notice.pk, now=now)


def test_a_mailbox_that_nobody_has_confirmed_gets_twenty_emails_with_news_in_a_day() -> None:
    people, now = [register("ada", "ada@example.com"), register("eve", "ada@example.com")], timezone.now()
    mailbag.empty()
    assert sum(news_to(people[number % 2], number, now) for number in range(30)) == 20
    letters.post(letters.PASSWORD_CHANGED, address="ada@example.com", user_id=people[0].pk)
    assert mailbag.empty(now) == []
    assert Notice.objects.count() == 30
    assert sum(news_to(people[0], 100 + number, now + timedelta(days=1)) for number in range(30)) == 20


def test_news_of_an_account_go_to_a_confirmed_address_without_a_limit(kate: User) -> None:
    assert all(news_to(kate, number, timezone.now()) for number in range(30))


def test_letters_with_news_to_a_mailbox_that_nobody_has_confirmed_are_as_few() -> None:
    ada = register("ada", "ada@example.com")
    mailbag.empty()
    for _ in range(30):
        letters.post(letters.PASSWORD_CHANGED, address="ada@example.com", user_id=ada.pk)
    assert len(mailbag.empty()) == 20


def test_a_change_to_an_address_that_others_only_named_is_possible(kate: User) -> None:
    register("eve", "new@example.com")
    mailbag.empty()
    signed_in("kate.simon").post("/profile/email/", {"email": "New@Example.com", "current": PASSWORD})
    Client().post(link_for("new@example.com"))
    kate.refresh_from_db()
    assert (kate.email, kate.email_confirmed) == ("new@example.com", True)


def test_an_address_that_was_never_confirmed_can_be_replaced(kate: User) -> None:
    register("eve", "kate.simon@example.com")
    mailbag.empty()
    signed_in("eve").post("/profile/email/", {"email": "eve@example.com", "current": PASSWORD})
    Client().post(link_for("eve@example.com"))
    eve = User.objects.get(username="eve")
    assert (eve.email, eve.email_confirmed) == ("eve@example.com", True)
    assert mailbag.empty() == [], "the earlier address is another account's"


def test_no_news_of_an_account_goes_to_the_mailbox_of_another(kate: User) -> None:
    eve = register("eve", "kate.simon@example.com")
    mailbag.empty()
    letters.post(letters.PASSWORD_CHANGED, address=eve.email, user_id=eve.pk)
    notice = Notice.objects.create(user=eve, kind="account_enabled", reference="once", created_at=timezone.now())
    assert not emails.send(notice_id=notice.pk, now=timezone.now())
    assert mailbag.empty() == []


# -- strange letters

STRANGE = [f"{KELVIN}ate.simon", f"kate.{LONG_S}imon", f"kate.s{DOTLESS_I}mon", "kate.s\u0130mon"]
Door = Callable[[str], Any]


def refusal(answer: Any) -> int:
    return int(answer.status if isinstance(answer, Answer) else answer.status_code)


@pytest.mark.parametrize("local", STRANGE)
@pytest.mark.parametrize(
    "door",
    [
        lambda address: api_register("newcomer", address),
        lambda address: page_register("newcomer", address),
        lambda address: Client().post("/password/forgotten/", {"email": address}),
        lambda address: signed_in("kate.simon").post("/profile/email/", {"email": address, "current": PASSWORD}),
    ],
    ids=["api register", "page register", "reset", "change"],
)
def test_an_address_with_a_strange_letter_is_refused_and_nobody_is_written_to(
    kate: User, local: str, door: Door
) -> None:
    assert refusal(door(f"{local}@example.com")) == 422
    assert mailbag.empty() == []
    assert User.objects.count() == 1


@pytest.mark.parametrize("name", [*STRANGE, *[f"{local}@example.com" for local in STRANGE]])
def test_a_name_with_a_strange_letter_is_nobodys(kate: User, name: str) -> None:
    assert call("/api/auth/login/", {"username_or_email": name, "password": PASSWORD}).status == 401
    assert Client().post("/sign-in/", {"identifier": name, "password": PASSWORD}).status_code == 422
    assert api_register(name, "newcomer@example.com").status == 422
    with pytest.raises(CommandError):
        call_command("staff_role", name, "admin")


def test_a_domain_with_a_strange_letter_is_the_domain_that_mail_goes_to() -> None:
    register("ada", f"ada@{KELVIN}iwi.example")
    (letter,) = mailbag.empty()
    assert letter.to == [User.objects.get().email] == ["ada@kiwi.example"]
    assert is_in(signed_in_by(f"ADA@{KELVIN}IWI.example"))
    (link,) = reset_links(f"ada@{KELVIN}iwi.example")
    assert Client().get(link).status_code == 200


def signed_in_by(name: str) -> Client:
    browser = Client()
    browser.post("/sign-in/", {"identifier": name, "password": PASSWORD})
    return browser


# -- what the database holds


@pytest.mark.parametrize("address", ["Kate@example.com", f"{KELVIN}ate@example.com", "kate@example.com\n"])
def test_the_database_takes_no_address_in_another_form(kate: User, address: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.update(email=address)


def test_djangos_own_commands_make_confirmed_addresses_in_their_normal_form() -> None:
    assert User.objects.create_user("ada", "Ada@Example.com").email == "ada@example.com"
    assert User.objects.create_superuser("root", "root@example.com", PASSWORD).email_confirmed
    with pytest.raises(ValidationError):
        User.objects.create_user("kate", f"{KELVIN}ate@example.com")
    with pytest.raises(ValidationError):
        User.objects.create_user(f"{KELVIN}ate", "kate@example.com")


@pytest.mark.django_db(transaction=True)
def test_addresses_from_before_are_brought_into_their_normal_form() -> None:
    call_command("migrate", "users", "0002", verbosity=0)
    before = MigrationExecutor(connection).loader.project_state(("users", "0002_purposes")).apps
    written = ["Ada@Example.com", f"{KELVIN}ate@example.com", "j@BÜCHER.example", "j@xn--bcher-kva.example"]
    users = [
        before.get_model("users", "User").objects.create(username=f"user{number}", email=address)
        for number, address in enumerate(written)
    ]

    call_command("migrate", "users", verbosity=0)

    assert list(User.objects.order_by("pk").values_list("email", "email_confirmed_at")) == [
        ("ada@example.com", users[0].created_at),
        (f"user-{users[1].pk}@address.invalid", None),
        ("j@xn--bcher-kva.example", users[2].created_at),
        ("j@xn--bcher-kva.example", None),
    ]


def test_attempts_are_kept_by_visitor_and_by_exact_address(kate: User) -> None:
    actor = Actor.visitor(ip="2001:db8:1:2:3:4:5:6")
    accounts.authenticate(actor=actor, now=timezone.now(), identifier="kate.simon", password=PASSWORD)
    assert LoginAttempt.objects.get().ip == "2001:db8:1:2::"
    assert LoginAttempt.objects.get().exact_ip == "2001:db8:1:2:3:4:5:6"
