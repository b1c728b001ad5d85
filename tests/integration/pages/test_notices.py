"""The bell, the page of notices, and the emails that developers look at."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import Resolver404, resolve
from django.utils import timezone
from pytest_django import Settings

from multitask.payments.models import Agreement, Notice
from multitask.payments.notices import notices, wording
from multitask.users import account_emails
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import mailbag
from tests.integration.pages.reading import MOST_STATEMENTS, text_of
from tests.payments_world import World, user_id

pytestmark = pytest.mark.django_db

SignIn = Callable[[Actor], Client]


@pytest.fixture
def somebody() -> User:
    return User.objects.create_user("ada", "ada@example.com", is_freelancer=True)


@pytest.fixture
def browser(somebody: User, sign_in: SignIn) -> Client:
    return sign_in(Actor.of(somebody))


def tell(user: User, number: int = 1) -> list[Notice]:
    known = Notice.objects.count()
    return [
        Notice.objects.create(
            user=user, kind="account_enabled", reference=f"test:{known + each}", created_at=timezone.now()
        )
        for each in range(number)
    ]


def test_the_bell_counts_what_is_unread_and_the_page_reads_it(browser: Client, somebody: User) -> None:
    tell(somebody, 2)
    tell(User.objects.create_user("eve", "eve@example.com", is_freelancer=True), 3)
    assert "2 unread notices" in text_of(browser.get("/"))
    shown = text_of(browser.get("/notices/"))
    assert shown.count("Your payouts are set up") == 2
    assert shown.count(" New ") == 2
    after = text_of(browser.get("/notices/"))
    assert "unread" not in after
    assert " New " not in after


def test_the_bell_costs_one_statement_however_much_is_unread(browser: Client, somebody: User) -> None:
    tell(somebody, 150)
    with CaptureQueriesContext(connection) as taken:
        answer = browser.get("/profile/")
    assert "99+ unread notices" in text_of(answer)
    assert len([each for each in taken if "payments_notice" in each["sql"]]) == 1


def test_pages_of_notices_show_each_once(browser: Client, somebody: User) -> None:
    made = tell(somebody, 45)
    first = browser.get("/notices/")
    assert text_of(first).count("Your payouts are set up") == 20
    assert f"?before={made[25].pk}" in first.content.decode()
    second = browser.get(f"/notices/?before={made[25].pk}")
    assert text_of(second).count("Your payouts are set up") == 20
    third = browser.get(f"/notices/?before={made[5].pk}")
    assert text_of(third).count("Your payouts are set up") == 5
    assert 'href="?before=' not in third.content.decode()


def test_a_page_is_cheap_and_small_and_a_visitor_signs_in_first(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    notices.collect(now=world.now)
    browser = sign_in(job.freelancer)
    with CaptureQueriesContext(connection) as taken:
        answer = browser.get("/notices/")
    assert len(taken) <= MOST_STATEMENTS, [each["sql"] for each in taken]
    assert len(answer.content) < 50_000
    assert "You earned money for “Draw a logo”" in text_of(answer)
    assert Client().get("/notices/")["Location"] == "/sign-in/?next=/notices/"


@pytest.mark.parametrize("before", ["x", "-1", "0", "1e9", "٣", "9" * 40])
def test_a_made_up_page_is_no_fault(browser: Client, somebody: User, before: str) -> None:
    assert browser.get("/notices/", {"before": before}).status_code == 200


def test_titles_are_shown_as_text(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    Agreement.objects.filter(task=job.task_id).update(title="<script>alert(1)</script>")
    notices.collect(now=world.now)
    message = next(found for found in mailbag.empty(world.now) if "funded" in str(found.subject))
    html = str(message.alternatives[0][0])  # type: ignore[attr-defined]
    for shown in (html, sign_in(job.freelancer).get("/notices/").content.decode()):
        assert "&lt;script&gt;alert(1)" in shown
        assert "<script>alert" not in shown


def test_every_address_that_is_written_in_a_notice_or_letter_leads_to_a_page(world: World, somebody: User) -> None:
    job = world.settled()
    notices.collect(now=world.now)
    told = [wording.of(notice) for notice in notices.inbox(user_id(job.freelancer))]
    written = [account_emails.message_text(kind, somebody, "new@example.com") for kind in account_emails.KINDS]
    for said in told + written:
        try:
            resolve(said.address)
        except Resolver404:
            pytest.fail(f"{said.address} leads nowhere")


# -- for developers


@pytest.fixture
def developing(settings: Settings) -> None:
    settings.ENV = settings.ENV.model_copy(update={"multitask_env": "development"})


@pytest.mark.parametrize("environment", ["production", "test"])
def test_emails_are_shown_to_nobody_outside_development(settings: Settings, somebody: User, environment: str) -> None:
    settings.ENV = settings.ENV.model_copy(update={"multitask_env": environment})
    (notice,) = tell(somebody)
    for path in ("", f"notice/{notice.pk}/html/en/", "letter/password_reset/html/en/"):
        assert Client().get(f"/dev/emails/{path}").status_code == 404


@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_kind_is_shown_as_text_and_html(developing: None, somebody: User, language: str) -> None:
    for letter in account_emails.KINDS:
        assert "Subject: " in Client().get(f"/dev/emails/letter/{letter}/text/{language}/").content.decode()
    (notice,) = tell(somebody)
    assert f"/dev/emails/notice/{notice.pk}/html/{language}/" in Client().get("/dev/emails/").content.decode()
    html = Client().get(f"/dev/emails/notice/{notice.pk}/html/{language}/")
    assert f'<html lang="{language}"' in html.content.decode()
    assert html["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_a_preview_holds_no_link_that_works(developing: None, somebody: User) -> None:
    for kind in (account_emails.RESET, account_emails.EMAIL_CONFIRMATION):
        shown = Client().get(f"/dev/emails/letter/{kind}/text/en/").content.decode()
        assert "/reset/" not in shown
        assert "/confirm/" not in shown


@pytest.mark.parametrize(
    "path",
    ["notice/1/html/en/", "letter/love/html/en/", "letter/password_reset/pdf/en/", "letter/password_reset/html/xx/"],
)
def test_what_is_not_there_is_not_found(developing: None, somebody: User, path: str) -> None:
    assert Client().get(f"/dev/emails/{path}").status_code == 404
