"""Addresses: registering reveals nothing about other accounts; ownership; the recipients of letters."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from multitask.users import accounts, addresses, credentials
from multitask.users.actor import Actor
from multitask.users.models import LoginAttempt, User
from multitask.users.throttle import TooManyAttempts
from tests import mailbag
from tests.acceptance.clients import Answer, Caller
from tests.integration import races
from tests.integration.pages.codes import PASSWORD
from tests.integration.pages.reading import text_of
from tests.integration.pages.test_account import is_in, signed_in

pytestmark = pytest.mark.django_db

KELVIN, LONG_S, DOTLESS_I = "\u212a", "\u017f", "\u0131"
NEW = "a-much-better-secret"
IP = "203.0.113.9"


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


def test_attempts_are_kept_by_visitor_and_by_exact_address(kate: User) -> None:
    actor = Actor.visitor(ip="2001:db8:1:2:3:4:5:6")
    accounts.authenticate(actor=actor, now=timezone.now(), identifier="kate.simon", password=PASSWORD)
    assert LoginAttempt.objects.get().ip == "2001:db8:1:2::"
    assert LoginAttempt.objects.get().exact_ip == "2001:db8:1:2:3:4:5:6"
