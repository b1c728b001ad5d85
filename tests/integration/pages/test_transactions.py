"""The history's pages: filters, totals, paging, what the books say, exports and statements."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from multitask.payments.models import Agreement, HistoryRow
from multitask.payments.reads import history_pages, history_search
from multitask.payments.reads.history_pages import Cursor
from multitask.payments.reads.wallet import Filter
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.web.pages.wallet import csv_response
from tests.integration.pages.reading import MOST_STATEMENTS, lines_of, text_of
from tests.payments_world import DECLINED, World, dollars, user_id

SignIn = Callable[[Actor], Client]


def _past(person: User, number: int, **more: Any) -> list[HistoryRow]:
    """So many rows, a minute apart, the newest last."""
    now = timezone.now()
    usual = {"type": "adjustment", "status": "completed", "direction": "in", "currency": "USD", "description": "x"}
    rows = [
        HistoryRow(
            user=person,
            reference=f"test:{more.get('type', '')}:{n}:{more.get('currency', '')}:{more.get('status', '')}",
            created_at=now - timedelta(minutes=number - n),
            amount_minor=100 + n,
            **{**usual, **more},
        )
        for n in range(number)
    ]
    return HistoryRow.objects.bulk_create(rows)


def _shown(browser: Client, address: str) -> list[str]:
    """The rows of all pages, following "Older" to the end."""
    found: list[str] = []
    while address:
        html = browser.get(address).content.decode()
        found += re.findall(r'href="/transactions/([0-9a-f-]{36})/"', html)
        older = re.search(r'href="(\?[^"]*)" rel="next"', html)
        address = f"/transactions/{older[1]}".replace("&amp;", "&") if older else ""
    return found


# -- rows, filters, totals


def test_strangers_are_sent_to_sign_in(db: None, client: Client) -> None:
    for address in ("/transactions/", "/transactions/export/", "/transactions/statement/"):
        assert client.get(address)["Location"].startswith("/sign-in/")


def test_rows_are_told_in_words_of_names_never_of_the_database(world: World, sign_in: SignIn) -> None:
    job = world.released()
    HistoryRow.objects.update(description="<for nobody>")
    freelancer, client = (text_of(sign_in(who).get("/transactions/")) for who in (job.freelancer, job.client))
    assert f"Earned: Draw a logo {job.client.label}" in freelancer
    assert "Platform fee: Draw a logo" in freelancer
    assert f"Payment into escrow: Draw a logo {job.freelancer.label}" in client
    assert "for nobody" not in freelancer + client


def test_titles_are_shown_as_text(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    Agreement.objects.filter(task=job.task_id).update(title="<script>alert(1)</script>")
    html = sign_in(job.client).get("/transactions/").content.decode()
    assert "&lt;script&gt;alert(1)" in html
    assert "<script>alert" not in html


@pytest.mark.parametrize("asked", ["", "type=adjustment", "search=nothing", "start=2026-01-01&search=x&type=refund"])
def test_a_page_takes_few_statements_and_is_small(browser: Client, person: User, asked: str) -> None:
    _past(person, 60)
    with CaptureQueriesContext(connection) as taken:
        answer = browser.get(f"/transactions/?{asked}")
    assert answer.status_code == 200
    assert len(taken) <= MOST_STATEMENTS, [each["sql"] for each in taken]
    assert len(answer.content) < 30_000


def test_pages_show_every_row_once_and_newest_first(browser: Client, person: User) -> None:
    rows = _past(person, 60)
    assert _shown(browser, "/transactions/") == [str(row.public_id) for row in reversed(rows)]


def test_newer_leads_back_the_way_that_older_came(person: User) -> None:
    _past(person, 60)
    first = history_pages.page(person.pk, Filter(), Cursor(), size=20)
    assert first.newer is None
    assert first.older is not None
    second = history_pages.page(person.pk, Filter(), first.older, size=20)
    assert second.newer is not None
    assert second.older is not None
    third = history_pages.page(person.pk, Filter(), second.older, size=20)
    assert third.older is None
    assert third.newer is not None
    assert history_pages.page(person.pk, Filter(), third.newer, size=20).rows == second.rows
    assert history_pages.page(person.pk, Filter(), second.newer, size=20).rows == first.rows


@pytest.mark.parametrize("asked", ["type=refund", "status=failed", "currency=EUR", "type=refund&status=completed"])
def test_filters_choose_and_totals_match(browser: Client, person: User, asked: str) -> None:
    _past(person, 30)
    _past(person, 30, type="refund")
    _past(person, 30, status="failed")
    _past(person, 30, currency="EUR")
    chosen: dict[str, Any] = dict(part.split("=") for part in asked.split("&"))
    wanted = HistoryRow.objects.filter(user=person, **chosen).order_by("-pk")
    assert _shown(browser, f"/transactions/?{asked}") == [str(row.public_id) for row in wanted]
    (total,) = history_pages.totals(person.pk, Filter(**chosen))[0]
    moved = [row for row in wanted if row.status == "completed"]
    assert total.rows == 30
    assert total.money_in.amount_minor == sum(row.amount_minor for row in moved)


def test_the_reader_sees_only_their_own(world: World, sign_in: SignIn) -> None:
    job = world.released()
    stranger = sign_in(world.client())
    assert "Nothing has happened" in text_of(stranger.get("/transactions/"))
    for row in HistoryRow.objects.all():
        assert stranger.get(f"/transactions/{row.public_id}/").status_code == 404
    assert "Draw a logo" not in b"".join(stranger.get("/transactions/export/").streaming_content).decode()  # type: ignore[attr-defined]
    assert job.task_id


def test_a_period_is_the_readers_own_days(browser: Client, person: User) -> None:
    User.objects.filter(pk=person.pk).update(time_zone="America/New_York")
    (row,) = _past(person, 1)
    HistoryRow.objects.filter(pk=row.pk).update(created_at="2026-03-02T03:00:00Z")  # 1 March, ten in the evening
    assert _shown(browser, "/transactions/?start=2026-03-01&end=2026-03-01") == [str(row.public_id)]
    assert _shown(browser, "/transactions/?start=2026-03-02") == []
    assert _shown(browser, "/transactions/?end=2026-02-28") == []


def test_a_period_is_exact_in_the_middle_of_a_long_past(person: User) -> None:
    rows = _past(person, 50)
    days = [timezone.now() - timedelta(days=50 - n) for n in range(50)]
    for row, day in zip(rows, days, strict=True):
        HistoryRow.objects.filter(pk=row.pk).update(created_at=day)
    wanted = Filter(start=days[20], end=days[30])
    assert [row.pk for row in history_pages.all_rows(person.pk, wanted)] == [row.pk for row in reversed(rows[20:30])]
    (total,), is_whole = history_pages.totals(person.pk, wanted)
    assert (total.rows, is_whole) == (10, True)
    assert total.money_in.amount_minor == sum(row.amount_minor for row in rows[20:30])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("LOGO", 1),
        ("log", 1),
        ("person", 2),
        ("100.00", 1),
        ("100", 1),
        ("١٠٠٫٠٠", 1),
        ("$100", 1),
        ("85", 0),
        ("%", 0),
        ("شِعار", 1),
        ("الشعار", 1),
        ("some person", 1),
        ("logo else", 0),
    ],
)
def test_search_finds_titles_people_and_amounts(world: World, asked: str, found: int) -> None:
    job = world.funded(title="شعار Logo")
    world.funded(dollars("20.00"), client=job.client, title="Something else")
    rows = history_pages.page(user_id(job.client), Filter(search=asked), Cursor()).rows
    assert len(rows) == found


def test_an_amount_is_searched_in_its_own_currency(person: User) -> None:
    (dollar,) = _past(person, 1)  # 1.00 USD
    _past(person, 1, currency="JPY")  # 100 JPY
    assert history_pages.page(person.pk, Filter(search="1.00"), Cursor()).rows == [dollar]
    assert [row.currency for row in history_pages.page(person.pk, Filter(search="100"), Cursor()).rows] == ["JPY"]


def test_a_search_finds_the_oldest_row_at_once(person: User) -> None:
    rows = _past(person, history_pages.MOST_ADDED + 10)
    for asked in (str(rows[2].public_id), "1.02"):
        wanted = Filter(search=asked)
        found = history_pages.page(person.pk, wanted, Cursor())
        assert (found.rows, found.older) == ([rows[2]], None)
        (total,), is_whole = history_pages.totals(person.pk, wanted)
        assert (total.rows, is_whole) == (1, True)


def test_a_search_has_pages_in_both_directions(browser: Client, person: User) -> None:
    rows = _past(person, 60, description="A long search")
    _past(person, 5, type="refund")
    assert _shown(browser, "/transactions/?search=long+search") == [str(row.public_id) for row in reversed(rows)]
    page = history_pages.page(person.pk, Filter(search="long"), Cursor(after=rows[10].pk), size=5)
    assert page.rows == rows[15:10:-1]


def test_a_search_finds_the_rows_of_one_person_alone(world: World) -> None:
    job, other = world.funded(title="Draw a crest"), world.funded(title="Draw a crest")
    rows = history_pages.page(user_id(job.client), Filter(search="crest"), Cursor()).rows
    assert [row.escrow_id for row in rows] == [job.escrow.pk]
    assert other.escrow.pk != job.escrow.pk


def test_more_matches_than_are_added_up_are_said(person: User) -> None:
    _past(person, history_search.MOST_FOUND + 10, description="many")
    wanted = Filter(search="many")
    (total,), is_whole = history_pages.totals(person.pk, wanted)
    assert (total.rows, is_whole) == (history_search.MOST_FOUND, False)
    (total,), is_whole = history_pages.totals(person.pk, wanted, is_exact=True)
    assert (total.rows, is_whole) == (history_search.MOST_FOUND + 10, True)


def test_more_than_is_added_up_is_said(browser: Client, person: User) -> None:
    _past(person, history_pages.MOST_ADDED + 60)
    start = (timezone.now() - timedelta(days=30)).date()
    assert "Add up everything" in text_of(browser.get(f"/transactions/?start={start}"))
    whole = text_of(browser.get(f"/transactions/?start={start}&all=1"))
    assert "Add up everything" not in whole
    assert f"Transactions · USD {history_pages.MOST_ADDED + 60}" in whole


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("start=2026-02-02&end=2026-02-01", "The last day is before the first."),
        ("start=yesterday", "Enter a valid date."),
        ("end=9999-12-31", "Choose a day between 2000 and 2100."),
        ("type=bribe", "bribe is not one of the available choices."),
        ("currency=XXX", "XXX is not one of the available choices."),
        (f"search={'x' * 101}", "at most 100"),
        ("search=a%00b", "Null characters are not allowed."),
    ],
)
def test_a_filter_that_is_wrong_is_answered_beside_the_field(browser: Client, asked: str, words: str) -> None:
    answer = browser.get(f"/transactions/?{asked}")
    assert answer.status_code == 422
    assert words.lower() in text_of(answer).lower()
    assert 'aria-invalid="true"' in answer.content.decode()
    assert browser.get(f"/transactions/export/?{asked}").status_code == 302


@pytest.mark.parametrize("place", ["before=x", "before=-1", "after=99999999999999999999", "before=%F0%9F%92%A9"])
def test_a_place_that_is_none_is_the_first_page(browser: Client, person: User, place: str) -> None:
    _past(person, 3)
    assert browser.get(f"/transactions/?{place}").status_code == 200


def test_htmx_gets_the_table_alone(browser: Client, person: User) -> None:
    _past(person, 3)
    part = browser.get("/transactions/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="found"')
    back = browser.get("/transactions/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in back.content.decode()
    wrong = browser.get("/transactions/?start=x", headers={"HX-Request": "true"})
    assert wrong["HX-Redirect"] == "/transactions/?start=x"


# -- what the books say


def test_a_release_opens_its_entries_in_words(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    row = HistoryRow.objects.get(user_id=user_id(job.freelancer), type="escrow_release")
    browser = sign_in(job.freelancer)
    with CaptureQueriesContext(connection) as taken:
        words = text_of(browser.get(f"/transactions/{row.public_id}/"))
    assert "The escrow was released" in words
    assert "Escrow of this task $100.00" in words
    assert "Your pending balance $85.00" in words
    assert "Platform fee $15.00" in words
    assert "The money settled and became available" in words
    assert "Your available balance $85.00" in words
    assert len(taken) <= MOST_STATEMENTS


def test_the_client_reads_where_the_money_went(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    row = HistoryRow.objects.get(user_id=user_id(job.client), type="escrow_release")
    words = text_of(sign_in(job.client).get(f"/transactions/{row.public_id}/"))
    assert f"Wallet of {job.freelancer.label} $85.00" in words
    assert "became available" not in words


def test_a_withdrawal_opens_each_of_its_steps(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    row = HistoryRow.objects.get(type="withdrawal")
    words = text_of(sign_in(job.freelancer).get(f"/transactions/{row.public_id}/"))
    assert words.index("Set aside for the withdrawal") < words.index("Paid to the bank")
    assert "Your bank, through the payment provider $85.00" in words


def test_a_payment_that_was_not_made_says_that_nothing_moved(world: World, sign_in: SignIn) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job, DECLINED)
    row = HistoryRow.objects.get(user_id=user_id(job.client))
    words = text_of(sign_in(job.client).get(f"/transactions/{row.public_id}/"))
    assert "Nothing has moved yet" in words


# -- exports


def test_an_export_holds_what_matches(world: World, sign_in: SignIn) -> None:
    job = world.released()
    answer = sign_in(job.freelancer).get("/transactions/export/?type=escrow_release")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    (line,) = lines_of(answer)
    assert (line["amount"], line["platform_fee"], line["net_amount"]) == ("100.00", "15.00", "85.00")
    assert (line["from"], line["to"], line["task"]) == (job.client.label, job.freelancer.label, "Draw a logo")


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1+1"])
def test_an_export_holds_no_formula(world: World, sign_in: SignIn, title: str) -> None:
    job = world.funded()
    Agreement.objects.filter(task=job.task_id).update(title=title)
    (line,) = lines_of(sign_in(job.client).get("/transactions/export/"))
    assert line["task"] == f"'{title}"


def test_quotes_and_lines_survive(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    Agreement.objects.filter(task=job.task_id).update(title='A "quoted", title; شعار')
    (line,) = lines_of(sign_in(job.client).get("/transactions/export/"))
    assert line["task"] == 'A "quoted", title; شعار'


def test_an_export_is_read_in_batches(browser: Client, person: User) -> None:
    rows = _past(person, history_pages.BATCH * 2 + 10)
    answer = browser.get("/transactions/export/")
    with CaptureQueriesContext(connection) as taken:
        found = lines_of(answer)
    assert [line["transaction_id"] for line in found] == [str(row.public_id) for row in reversed(rows)]
    assert len(taken) == 3 * 2  # The ids of each batch, and its rows.


def test_amounts_are_never_written_as_formulas() -> None:
    assert csv_response.safe("-5.00") == "'-5.00"
    assert csv_response.safe("5.00") == "5.00"
    assert csv_response.safe("") == ""
