"""Statements: opening + entries = closing at any cut, listed, summed up or exported."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from multitask import ledger
from multitask.money import Money
from multitask.payments.books import postings
from multitask.payments.models import Escrow, Milestone
from multitask.payments.reads import statements, trends
from multitask.payments.reads.statements import About
from multitask.users.actor import Actor
from multitask.web.pages.base import dates
from tests.integration.pages.reading import MOST_STATEMENTS, lines_of, text_of
from tests.payments_world import World, dollars, user_id

SignIn = Callable[[Actor], Client]


def _statement(actor: Actor, about: About, days: int = 1) -> statements.Statement:
    today = timezone.localdate()
    moments = dates.interval_bounds(today - timedelta(days=days), today)
    return statements.draw(user_id=user_id(actor), about=about, currency="USD", moments=moments)


def test_a_wallets_statement_adds_up(world: World) -> None:
    freelancer = world.freelancer()
    world.settled(freelancer=freelancer)
    world.released(dollars("50.00"), freelancer=freelancer)
    world.arrive(world.withdrawn(freelancer, dollars("60.00")))
    drawn = _statement(freelancer, About.WALLET)
    assert drawn.opening == dollars("0.00")
    assert [line.change for line in drawn.lines] == [dollars("85.00"), dollars("42.50"), -dollars("60.00")]
    assert [line.balance for line in drawn.lines][-1] == drawn.closing == dollars("67.50")
    assert {place.name: place.closing for place in drawn.places} == {
        "pending": dollars("0.00"),
        "available": dollars("67.50"),
        "withdrawing": dollars("0.00"),
    }


def test_an_escrows_statement_adds_up(world: World) -> None:
    client = world.client()
    world.funded(client=client)
    world.released(dollars("50.00"), client=client)
    drawn = _statement(client, About.ESCROW)
    assert [line.change for line in drawn.lines] == [dollars("100.00"), dollars("50.00"), -dollars("50.00")]
    assert drawn.closing == dollars("100.00")
    assert {title for _, title in drawn.titles.values()} == {"Draw a logo"}


def test_a_later_period_opens_where_the_earlier_closed(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("60.00")))
    accounts = ["pending", "available", "withdrawing"]
    codes = [f"user:{user_id(job.freelancer)}:{name}" for name in accounts]
    entries = [entry for code in codes for entry in ledger.entries(code, "USD")]
    for at in sorted({entry.recorded_at for entry in entries}):
        for moment in (at, at + timedelta(microseconds=1)):
            moments = [timezone.now() - timedelta(days=1), moment]
            before = statements.draw(
                user_id=user_id(job.freelancer), about=About.WALLET, currency="USD", moments=moments
            )
            after = statements.draw(
                user_id=user_id(job.freelancer),
                about=About.WALLET,
                currency="USD",
                moments=[moment, timezone.now() + timedelta(days=1)],
            )
            assert before.closing == after.opening
            for drawn in (before, after):
                changes = (line.change for line in drawn.lines)
                assert drawn.opening + sum(changes, Money.zero("USD")) == drawn.closing


def test_a_long_statement_is_summed_up_and_still_adds_up(world: World, sign_in: SignIn) -> None:
    job = world.settled(Money(99_999_900, "USD"))
    withdrawn = statements.MOST_ENTRIES // 2  # Two entries each.
    for cents in range(1, withdrawn + 1):
        world.withdraw(job.freelancer, Money(100 + cents, "USD"))
    drawn = _statement(job.freelancer, About.WALLET)
    assert drawn.lines == []
    assert sum((part.change for part in drawn.sums), Money.zero("USD")) == drawn.closing - drawn.opening
    assert sum(part.entries for part in drawn.sums) == drawn.entries == 3 + 2 * withdrawn
    words = text_of(sign_in(job.freelancer).get("/transactions/statement/"))
    assert "Too many entries to list" in words


def test_the_statements_page_takes_few_statements_and_prints(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    browser = sign_in(job.freelancer)
    with CaptureQueriesContext(connection) as taken:
        answer = browser.get("/transactions/statement/")
    words = text_of(answer)
    assert "Opening balance" in words
    assert "Earned: Draw a logo +$85.00" in words
    assert "This period is not over" in words
    assert len(taken) <= MOST_STATEMENTS, [each["sql"] for each in taken]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("start=2026-02-02&end=2026-02-01", "The last day is before the first."),
        ("start=2024-01-01&end=2026-02-01", "A statement covers a year at most."),
        ("start=x", "Enter a valid date."),
        ("currency=XYZ", "XYZ is not one of the available choices."),
        ("about=escrow", "escrow is not one of the available choices."),
    ],
)
def test_a_wrong_period_is_answered_beside_the_field(browser: Client, asked: str, words: str) -> None:
    answer = browser.get(f"/transactions/statement/?{asked}")
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert browser.get(f"/transactions/statement/export/?{asked}").status_code == 302


@pytest.mark.breaks_the_books
def test_too_many_escrows_are_refused_in_words(world: World, sign_in: SignIn) -> None:
    job = world.funded()
    _copy_escrow(job.escrow, statements.MOST_ESCROWS)
    browser = sign_in(job.client)
    answer = browser.get("/transactions/statement/")
    assert answer.status_code == 422
    assert "There is too much in this period for one statement." in text_of(answer)
    assert browser.get("/transactions/statement/export/").status_code == 302


def _copy_escrow(escrow: Escrow, number: int) -> None:
    """Give the client so many more escrows like this one, whose money nobody looks at here."""
    like = {"agreement": escrow.agreement, "title": "One of many", "amount_minor": 1, "created_at": escrow.created_at}
    copies = Milestone.objects.bulk_create(Milestone(position=place, **like) for place in range(2, number + 2))
    left_out = {"id", "public_id", "milestone"}
    kept = [field.attname for field in Escrow._meta.concrete_fields if field.name not in left_out]
    values = {name: getattr(escrow, name) for name in kept}
    Escrow.objects.bulk_create(Escrow(milestone=milestone, **values) for milestone in copies)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_entries_are_read_whole_in_batches_of_any_size(world: World, batch_size: int) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("60.00")))
    codes = list(trends.wallet_codes(user_id(job.freelancer)).values())
    start, end = timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1)
    found = list(ledger.all_entries_between(codes, "USD", start, end, batch_size=batch_size))
    assert found == ledger.entries_between(codes, "USD", start, end, limit=100)
    assert len(found) == 1 + 2 + 2 + 1


def test_a_statements_export_has_every_line(world: World, sign_in: SignIn) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("60.00")))
    found = lines_of(sign_in(job.freelancer).get("/transactions/statement/export/"))
    assert [(line["event"], line["money_in"], line["money_out"], line["balance"]) for line in found] == [
        ("escrow_released", "85.00", "0.00", "85.00"),
        ("withdrawal_paid", "0.00", "60.00", "25.00"),
    ]
    assert found[0]["escrow"] == str(job.escrow.pk)


def test_readings_are_the_balances_at_their_moments(world: World) -> None:
    job = world.settled()
    code = postings.available_account(user_id(job.freelancer)).code
    (entry,) = ledger.entries(code, "USD")
    moments = [entry.recorded_at, entry.recorded_at + timedelta(microseconds=1)]
    found = ledger.readings([code, "nobody:knows"], "USD", moments)
    assert [reading.balance for reading in found[code]] == [dollars("0.00"), dollars("85.00")]
    assert [reading.entries for reading in found[code]] == [0, 1]
    assert [ledger.balance_as_of(code, "USD", at) for at in moments] == [dollars("0.00"), dollars("85.00")]
    assert [reading.entries for reading in found["nobody:knows"]] == [0, 0]


def test_movement_says_how_far_back_it_looked(world: World) -> None:
    job = world.settled()
    for _number in range(3):
        world.arrive(world.withdrawn(job.freelancer, dollars("5.00")))
    code = postings.withdrawing_account(user_id(job.freelancer)).code
    newest = ledger.entries(code, "USD")
    moments = [newest[-1].recorded_at, newest[2].recorded_at, timezone.now()]
    whole = ledger.movement(code, "USD", ["withdrawal_paid"], moments)
    assert [moved.amount_minor for moved in whole.sums] == [-500, -500 * 2]
    assert whole.complete_since is None
    cut = ledger.movement(code, "USD", ["withdrawal_paid"], moments, most=3)
    assert cut.complete_since == newest[2].recorded_at
