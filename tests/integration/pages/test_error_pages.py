"""Error pages: in the product's layout and the user's language, whatever the fault."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from pytest_django import Settings

from multitask.config import urls
from multitask.users.models import User
from tests.integration.pages.codes import PASSWORD
from tests.integration.pages.reading import text_of

pytestmark = pytest.mark.django_db


def break_down(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a fault that nobody expected")


# The project's own addresses, and one behind which something breaks.
urlpatterns = [path("broken/", break_down), path("", include(urls.urlpatterns))]
handler500 = urls.handler500


@pytest.fixture
def browser() -> Client:
    """The browser of somebody who has signed in; faults are answered as a server answers them."""
    User.objects.create_user("ada", "ada@example.com", PASSWORD, is_client=True)
    found = Client(raise_request_exception=False, enforce_csrf_checks=False)
    assert found.post("/sign-in/", {"identifier": "ada", "password": PASSWORD}).status_code == 302
    return found


def gone(*_statement: Any) -> Any:
    """What every statement ends with while the database is away."""
    raise OperationalError("the server closed the connection")


def is_ours(answer: Any) -> bool:
    return b"pages/style.css" in answer.content and answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("address", ["/nothing/", "/tasks/999999/", "/backoffice/", "/wallet/withdrawals/1/"])
def test_where_there_is_nothing_the_page_says_so_and_leads_on(browser: Client, address: str) -> None:
    answer = browser.get(address)
    assert answer.status_code == 404
    assert is_ours(answer)
    assert "There is nothing here" in text_of(answer)
    assert b'href="/wallet/"' in answer.content


def test_a_visitor_finds_nothing_in_the_same_words_and_in_arabic(client: Client) -> None:
    assert "There is nothing here" in text_of(client.get("/nothing/"))
    answer = client.get("/nothing/", headers={"accept-language": "ar"})
    assert b'dir="rtl"' in answer.content
    assert "لا شيء هنا" in text_of(answer)


def test_a_form_from_before_signing_in_says_that_its_page_is_out_of_date(browser: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    answer = strict.post("/preferences/", {"theme": "dark"}, headers={"referer": "http://testserver/wallet/?all=1"})
    assert answer.status_code == 403
    assert is_ours(answer)
    assert "This page is out of date" in text_of(answer)
    assert b'href="/wallet/?all=1"' in answer.content


@pytest.mark.parametrize("referer", ["", "https://evil.example/", "http://testserver//evil.example/"])
def test_the_way_back_from_a_form_never_leads_to_strangers(client: Client, referer: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/preferences/", {"theme": "dark"}, headers={"referer": referer})
    assert b'href="//' not in answer.content
    assert b'href="https://evil' not in answer.content


def test_a_fault_of_ours_gives_a_number_to_name_and_no_secret(browser: Client, settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__
    answer = browser.get("/broken/", headers={"x-request-id": "number-42"})
    assert answer.status_code == 500
    assert is_ours(answer)
    assert "Something went wrong on our side" in text_of(answer)
    assert "number-42" in text_of(answer)
    assert "nobody expected" not in text_of(answer)


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_the_database_the_page_says_so_and_asks_it_nothing(browser: Client, method: str) -> None:
    with connection.execute_wrapper(gone):
        answer = getattr(browser, method)("/wallet/withdraw/?amount=5", headers={"accept-language": "ar"})
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert is_ours(answer)
    assert "نعود بعد لحظات" in text_of(answer)


def test_without_the_database_programs_are_told_in_json(browser: Client) -> None:
    with connection.execute_wrapper(gone):
        answer = browser.get("/payments/wallet/")
    assert answer.status_code == 503
    assert answer.json()["code"] == "temporarily_unavailable"


def test_a_host_that_is_not_ours_is_refused_on_a_page_of_its_own(client: Client) -> None:
    answer = client.get("/", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "We did not understand this" in text_of(answer)
