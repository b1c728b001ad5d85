"""What ends a change of address, whose the address of a closed account is, and where news goes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from multitask.payments.models import Notice
from multitask.payments.notices import emails
from multitask.users import account_emails, addresses, credentials, second_factor, sessions
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import mailbag
from tests.integration.pages.codes import PASSWORD, fresh_code, switch_on
from tests.integration.pages.test_account import signed_in
from tests.integration.users.test_addresses import IP, NEW, call, link_for, register, reset_links

pytestmark = pytest.mark.django_db


# -- what ends a change of address


def asked_for_change(owner: User, address: str = "new@example.com") -> None:
    addresses.ask_for_change(actor=Actor.of(owner, ip=IP), now=timezone.now(), current=PASSWORD, email=address)


def change_password(owner: User) -> None:
    credentials.change_password(actor=Actor.of(owner, ip=IP), now=timezone.now(), current=PASSWORD, password=NEW)


def choose_password_by_link(owner: User) -> None:
    account_emails.post(account_emails.RESET, address=owner.email)
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
    account_emails.post(account_emails.PASSWORD_CHANGED, address="ada@example.com", user_id=people[0].pk)
    assert mailbag.empty(now) == []
    assert Notice.objects.count() == 30
    assert sum(news_to(people[0], 100 + number, now + timedelta(days=1)) for number in range(30)) == 20


def test_news_of_an_account_go_to_a_confirmed_address_without_a_limit(kate: User) -> None:
    assert all(news_to(kate, number, timezone.now()) for number in range(30))


def test_letters_with_news_to_a_mailbox_that_nobody_has_confirmed_are_as_few() -> None:
    ada = register("ada", "ada@example.com")
    mailbag.empty()
    for _ in range(30):
        account_emails.post(account_emails.PASSWORD_CHANGED, address="ada@example.com", user_id=ada.pk)
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
    account_emails.post(account_emails.PASSWORD_CHANGED, address=eve.email, user_id=eve.pk)
    notice = Notice.objects.create(user=eve, kind="account_enabled", reference="once", created_at=timezone.now())
    assert not emails.send(notice_id=notice.pk, now=timezone.now())
    assert mailbag.empty() == []
