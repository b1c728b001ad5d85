"""Emails over the wire: sent once, tried again only when the server certainly refused, and never a second time."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, connection
from django.utils import translation
from pytest_django import Settings

from multitask.payments.books import audit
from multitask.payments.models import Notice
from multitask.payments.notices import emails, notices
from multitask.users import account_emails, outbox
from multitask.users.actor import Actor
from multitask.users.models import LoginAttempt, User
from tests import mailbag, smtp_server
from tests.integration import races
from tests.smtp_server import HANG_UP, SmtpServer

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def server(settings: Settings) -> Iterator[SmtpServer]:
    with smtp_server.running() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", running.port, 5
        yield running


def a_notice(**user: Any) -> Notice:
    ada = User.objects.create_user("ada", "ada@example.com", is_freelancer=True, **user)
    audit.record("account_enabled", actor=Actor.system("provider"), now=NOW, user_id=ada.pk)
    notices.collect(now=NOW)
    return Notice.objects.get()


def state(notice: Notice) -> tuple[str, int]:
    notice.refresh_from_db()
    return notice.email_state, notice.email_attempts


def send(notice: Notice, now: datetime = NOW) -> bool:
    """Do what the email's job does, the job being taken from the queue."""
    mailbag.lose()
    return emails.send(notice_id=notice.pk, now=now)


def test_an_email_goes_out_once(server: SmtpServer) -> None:
    notice = a_notice()
    assert send(notice) is True
    assert send(notice) is False
    assert state(notice) == ("sent", 1)
    (taken,) = server.taken
    assert (taken["To"], taken["Subject"]) == ("ada@example.com", "Your payouts are set up")
    assert taken["Message-ID"] == f"<notice-{notice.pk}@127.0.0.1>"
    text, html = (part.get_payload(decode=True).decode() for part in taken.get_payload())  # type: ignore[union-attr]
    assert "Hello ada," in text
    assert "http://127.0.0.1:8000/onboarding/" in text
    assert 'href="http://127.0.0.1:8000/onboarding/"' in html


def test_an_email_speaks_its_readers_language_whoever_sends_it(server: SmtpServer) -> None:
    notice = a_notice(language="ar")
    with translation.override("en"):
        send(notice)
        assert translation.get_language() == "en"
    html = server.taken[0].get_payload()[1].get_payload(decode=True).decode()  # type: ignore[index, union-attr]
    assert '<html lang="ar" dir="rtl">' in html


@pytest.mark.parametrize("language", ["pt-BR", "he"])
def test_a_language_that_the_pages_lack_is_english(server: SmtpServer, language: str) -> None:
    send(a_notice(language=language))
    html = server.taken[0].get_payload()[1].get_payload(decode=True).decode()  # type: ignore[index, union-attr]
    assert '<html lang="en" dir="ltr">' in html


def test_a_title_cannot_add_a_line_to_the_head(server: SmtpServer) -> None:
    notice = a_notice()
    User.objects.update(username="eve\r\nBcc: all@example.com")
    assert send(notice) is True
    assert server.taken[0]["Bcc"] is None


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("CONNECT", "421 later"),
        ("MAIL", "451 later"),
        ("RCPT", "450 mailbox busy"),
        ("DATA", "451 later"),
        ("END", "452 disk full"),
    ],
)
def test_what_the_server_refused_for_now_is_tried_again(server: SmtpServer, command: str, answer: str) -> None:
    notice = a_notice()
    server.answers[command] = answer
    assert send(notice) is False
    assert state(notice) == ("pending", 1)
    assert emails.sweep(now=NOW + timedelta(seconds=30)) == 0
    server.answers.clear()
    later = NOW + outbox.PAUSES[0]
    assert emails.sweep(now=later) == 1
    mailbag.empty(later)
    assert state(notice) == ("sent", 2)
    assert len(server.taken) == 1
    assert emails.sweep(now=later + timedelta(days=1)) == 0


@pytest.mark.parametrize(
    ("command", "answer"), [("RCPT", "550 no such mailbox"), ("MAIL", "553 no"), ("END", "554 spam")]
)
def test_what_the_server_refused_for_good_is_not_tried_again(server: SmtpServer, command: str, answer: str) -> None:
    notice = a_notice()
    server.answers[command] = answer
    assert send(notice) is False
    assert state(notice) == ("failed", 1)
    server.answers.clear()
    assert emails.sweep(now=NOW + timedelta(days=2)) == 0
    assert send(notice) is False


def test_when_nobody_knows_whether_it_went_out_it_is_not_sent_again(server: SmtpServer) -> None:
    notice = a_notice()
    server.answers["END"] = HANG_UP
    assert send(notice) is False
    assert state(notice) == ("sending", 1)
    server.answers.clear()
    assert emails.sweep(now=NOW + timedelta(days=2)) == 0
    assert send(notice) is False
    assert len(server.taken) == 1


@pytest.mark.django_db(transaction=True)
def test_an_email_that_could_not_be_counted_is_not_taken(server: SmtpServer) -> None:
    notice = a_notice(email_confirmed_at=None)
    rename = "ALTER TABLE {} RENAME TO {}"
    names = [LoginAttempt._meta.db_table, "taken_away"]
    with connection.cursor() as cursor:
        cursor.execute(rename.format(*names))
        try:
            with pytest.raises(ProgrammingError):
                send(notice)
        finally:
            cursor.execute(rename.format(*reversed(names)))
    assert state(notice) == ("pending", 0)
    assert send(notice) is True


def test_a_server_that_is_away_is_tried_again_and_given_up_in_the_end(settings: Settings) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = unused.getsockname()[1]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    notice, now, tries = a_notice(), NOW, 0
    while state(notice)[0] == "pending":
        send(notice, now)
        tries, now = tries + 1, now + timedelta(hours=7)
        assert emails.sweep(now=now) == (1 if state(notice)[0] == "pending" else 0)
    assert tries == len(outbox.PAUSES) + 1
    assert state(notice) == ("failed", tries)


def test_a_notice_and_a_letter_wait_equally_long_before_each_attempt(server: SmtpServer) -> None:
    notice, now = a_notice(), NOW
    server.answers["RCPT"] = "450 busy"
    send(notice, now)
    letter(0, now)
    for number, pause in enumerate(outbox.PAUSES, start=2):
        early, now = now + pause - timedelta(seconds=1), now + pause
        assert emails.sweep(now=early) == 0
        mailbag.empty(early)
        assert state(notice) == ("pending", number - 1)
        assert emails.sweep(now=now) == 1
        (again,) = [job for job in mailbag.waiting() if "attempt" in job]
        assert again["attempt"] == number - 1
        mailbag.empty(now)
    assert state(notice) == ("failed", len(outbox.PAUSES) + 1)
    assert mailbag.waiting() == []
    assert server.taken == []


def test_an_email_whose_job_was_lost_is_sent_all_the_same(server: SmtpServer) -> None:
    notice = a_notice()
    mailbag.lose()
    assert emails.sweep(now=NOW + timedelta(minutes=1)) == 0
    late = NOW + notices.LOST
    assert emails.sweep(now=late) == 1
    mailbag.empty(late)
    assert len(server.taken) == 1
    assert state(notice) == ("sent", 1)


def test_an_email_that_a_clock_postponed_that_was_ahead_does_not_wait_for_it(server: SmtpServer) -> None:
    notice = a_notice()
    server.answers["RCPT"] = "450 busy"
    assert send(notice, NOW + timedelta(hours=3)) is False
    server.answers.clear()
    assert emails.are_lost(now=NOW)
    assert emails.sweep(now=NOW) == 1
    mailbag.empty(NOW)
    assert state(notice) == ("sent", 2)


def test_a_lost_email_of_a_notice_that_lies_ahead_is_sent_all_the_same(server: SmtpServer) -> None:
    notice = a_notice()
    mailbag.lose()
    before = NOW - timedelta(hours=3)
    assert emails.sweep(now=before) == 1
    mailbag.empty(before)
    assert state(notice) == ("sent", 1)


def test_an_email_whose_job_waits_in_a_long_queue_is_not_doubled(server: SmtpServer) -> None:
    a_notice()
    assert emails.sweep(now=NOW + timedelta(days=1)) == 0


def test_an_account_that_was_closed_gets_nothing(server: SmtpServer) -> None:
    notice = a_notice()
    User.objects.update(is_active=False)
    assert send(notice) is False
    assert state(notice) == ("failed", 1)
    assert server.taken == []


@pytest.mark.django_db(transaction=True)
def test_an_email_that_many_workers_take_at_once_goes_out_once(server: SmtpServer) -> None:
    notice = a_notice()
    answers = races.together([lambda: send(notice)] * 6)
    assert sorted(answers) == [False] * 5 + [True]
    assert len(server.taken) == 1


# -- letters about accounts


def letter(attempt: int = 0, now: datetime = NOW) -> bool:
    user = User.objects.get()
    return account_emails.send(
        kind=account_emails.PASSWORD_CHANGED, address=user.email, user_id=user.pk, attempt=attempt, now=now
    )


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", "ada@example.com", is_client=True)


def test_a_letter_is_tried_again_when_the_server_refused_it_for_now(server: SmtpServer, ada: User) -> None:
    server.answers["RCPT"] = "450 busy"
    assert letter() is False
    (again,) = mailbag.waiting()
    assert again["attempt"] == 1
    assert mailbag.empty(NOW) == []
    server.answers.clear()
    mailbag.empty(NOW + outbox.PAUSES[0])
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("command", "answer", "attempt"),
    [("RCPT", "550 nobody", 0), ("END", HANG_UP, 0), ("RCPT", "450 busy", len(outbox.PAUSES))],
)
def test_a_letter_is_given_up_when_asking_again_is_of_no_use(
    server: SmtpServer, ada: User, command: str, answer: str, attempt: int
) -> None:
    server.answers[command] = answer
    assert letter(attempt) is False
    assert mailbag.waiting() == []


@pytest.mark.parametrize("kind", account_emails.KINDS)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_letter_is_written_in_both_languages(ada: User, kind: str, language: str) -> None:
    with translation.override(language):
        said = account_emails.message_text(kind, ada, "new@example.com")
        message = account_emails.written(ada, said, message_id="x")
    assert said.title == message.subject
    assert said.text in str(message.body)
    assert said.address.startswith("/")
