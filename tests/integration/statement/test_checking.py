"""`check_ledger` with and without the provider."""

import io
from datetime import datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from pytest_django import Settings

from multitask import ledger
from multitask.ledger import AccountRef, Leg
from multitask.payments.books import postings
from tests.integration.statement.books import Books
from tests.payments_world import dollars, held


def check_ledger(*arguments: str) -> tuple[int, str]:
    """Run it; return the exit status and all that it wrote."""
    out = io.StringIO()
    try:
        call_command("check_ledger", *arguments, stdout=out, stderr=out)
    except CommandError as error:
        return error.returncode, out.getvalue() + str(error)
    return 0, out.getvalue()


def post_what_never_happened(now: datetime) -> None:
    """Five dollars arrive in the books alone."""
    with transaction.atomic():
        ledger.post(
            kind="made_up",
            scope="tests",
            key="made_up:1",
            legs=[
                Leg(postings.provider_account("stripe"), dollars("-5.00")),
                Leg(AccountRef("platform:made_up", floor_minor=None), dollars("5.00")),
            ],
            effective_at=now,
        )


def test_the_statement_is_read_before_the_books_are_checked(world: Books) -> None:
    world.funded()
    world.sandbox.control("POST", "lines", {"type": "adjustment", "amount": -300, "currency": "usd"})

    status, printed = check_ledger()

    assert status == 0
    assert "the books are sound" in printed
    assert held("suspense:stripe") == -300
    assert world.compared() == (9_380, 9_380, 0, 0)


@pytest.mark.breaks_the_books
def test_a_posting_without_a_line_is_a_difference(world: Books) -> None:
    world.funded()
    post_what_never_happened(world.now)

    status, printed = check_ledger()

    assert status == 1
    assert "broken: the books equal the providers' balances: stripe, the platform: " in printed
    assert "the books have 10180 USD and 0 in flight, the provider 9680, since " in printed
    assert check_ledger("--without-provider")[0] == 0


@pytest.mark.parametrize("arguments", [[], ["--bounded"]])
def test_a_provider_that_does_not_answer_is_named_and_has_a_status_of_its_own(
    world: Books, settings: Settings, arguments: list[str]
) -> None:
    world.funded()
    world.read_all()
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    status, printed = check_ledger(*arguments)

    assert status == 5
    assert "stripe:platform was not compared with the provider now: " in printed
    assert "the books are sound" in printed
    assert check_ledger("--without-provider", *arguments)[0] == 0


@pytest.mark.breaks_the_books
def test_broken_books_count_more_than_a_provider_that_does_not_answer(world: Books, settings: Settings) -> None:
    world.funded()
    world.read_all()
    with transaction.atomic():
        ledger.post(
            kind="made_up",
            scope="tests",
            key="made_up:2",
            legs=[
                Leg(postings.available_account(1), dollars("5.00")),
                Leg(AccountRef("platform:made_up", floor_minor=None), dollars("-5.00")),
            ],
            effective_at=world.now,
        )
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert check_ledger()[0] == 1


def test_without_the_provider_nothing_is_read(world: Books) -> None:
    world.funded()

    status, printed = check_ledger("--without-provider")

    assert (status, world.lines()) == (0, [])
    assert "the books are sound" in printed
