"""Reading statements: many pages, broken off, twice at once, while money moves, and after a long pause."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from multitask.payments.books import statement
from multitask.payments.models import ProviderAccount, StatementLine
from multitask.payments.provider import ProviderError
from multitask.webhooks import statement as reading
from tests.integration.races import together
from tests.integration.statement.books import Books
from tests.payments_world import dollars, held

concurrent = pytest.mark.django_db(transaction=True)


def test_a_thousand_lines_on_many_pages_are_stored_once(world: Books) -> None:
    world.funded()
    world.read_all()
    for number in range(1_000):
        world.sandbox.control("POST", "lines", {"type": "stripe_fee", "amount": -1 - number % 3, "currency": "usd"})

    world.read_all()
    world.read_all()

    assert StatementLine.objects.count() == 1_001
    assert StatementLine.objects.exclude(state="matched").count() == 0
    assert world.compared() == (9_680 - 1_999, 9_680 - 1_999, 0, 0)


def test_the_cursor_stays_behind_lines_that_may_still_appear(world: Books) -> None:
    world.funded()
    world.read_all()
    assert world.platform.cursor == ""

    world.sandbox.advance(reading.OUT_OF_ORDER.total_seconds() + 1)
    first = StatementLine.objects.get()
    world.funded()
    world.read_all()
    assert world.platform.cursor == first.provider_line_id

    world.sandbox.advance(3_600)
    world.funded()
    world.read_all()
    assert world.platform.cursor == StatementLine.objects.order_by("happened_at")[1].provider_line_id
    assert StatementLine.objects.count() == 3
    assert world.differences() == []


def test_a_read_that_is_broken_off_goes_on(world: Books) -> None:
    world.funded()
    statement.add_accounts(["stripe"], world.now)
    world.sandbox.add_fault("error_before", method="GET", path="/v1/balance", count=1)
    with pytest.raises(ProviderError):
        reading.refresh(account_id=world.platform.pk, now=world.now)
    assert world.lines() == [("payment", "new", 9_680)]
    assert world.platform.due_at == world.now + statement.AGAIN

    world.read_all()

    assert world.lines() == [("payment", "matched", 9_680)]
    assert world.compared() == (9_680, 9_680, 0, 0)


def test_what_is_lost_between_two_pages_is_read_again(world: Books) -> None:
    world.funded()
    world.read_all()
    world.sandbox.advance(3_600)
    for _ in range(120):
        world.sandbox.control("POST", "lines", {"type": "stripe_fee", "amount": -1, "currency": "usd"})
    world.read_all()
    world.sandbox.advance(3_600)
    for _ in range(250):
        world.sandbox.control("POST", "lines", {"type": "stripe_fee", "amount": -1, "currency": "usd"})
    world.sandbox.add_fault("error_before", method="GET", path="/v1/balance_transactions", skip=2, count=1)
    with pytest.raises(ProviderError):
        reading.refresh(account_id=world.platform.pk, now=world.now)
    stored = StatementLine.objects.count()
    assert 121 < stored < 371

    world.read_all()

    assert StatementLine.objects.count() == 371
    assert world.differences() == []


def test_a_cursor_that_the_provider_forgot_is_dropped(world: Books) -> None:
    world.funded()
    world.read_all()
    ProviderAccount.objects.update(cursor="txn_forgotten")
    world.funded()

    world.read_all()
    assert (world.platform.cursor, world.platform.due_at) == ("", world.now + statement.AGAIN)
    world.read_all()

    assert StatementLine.objects.count() == 2
    assert world.compared() == (2 * 9_680, 2 * 9_680, 0, 0)


def test_the_feed_may_be_off_for_a_whole_story(world: Books) -> None:
    first = world.settled()
    world.arrive(world.withdrawn(first.freelancer, dollars("60.00")))
    second = world.funded()
    world.refund(second, second.freelancer, dollars("40.00"))
    world.work()
    third = world.freelancer(bank="000111111113")
    world.settled(freelancer=third)
    world.arrive(world.withdrawn(third, dollars("20.00")))
    world.wait(days=3)

    world.read_all()

    assert world.differences() == []
    assert StatementLine.objects.exclude(state="matched").count() == 0
    assert held("suspense:stripe") == 0


def test_what_the_account_held_before_is_one_open_line(world: Books) -> None:
    world.sandbox.control("POST", "lines", {"type": "adjustment", "amount": 5_000, "currency": "usd"})
    world.wait(days=30)

    world.read_all()

    assert world.lines() == [("opening", "open", 5_000)]
    assert world.compared() == (5_000, 5_000, 0, 0)


def test_what_the_account_held_before_is_not_read_again_as_lines(world: Books) -> None:
    """Without a line there is no cursor, and a cursor can be lost: reading begins where the opening balance ends."""
    world.sandbox.control("POST", "lines", {"type": "adjustment", "amount": 5_000, "currency": "usd"})
    world.wait(days=4)
    world.read_all()
    assert world.lines() == [("opening", "open", 5_000)]

    world.wait(minutes=1)
    world.read_all()
    assert world.lines() == [("opening", "open", 5_000)]
    assert world.compared() == (5_000, 5_000, 0, 0)

    statement.forget_cursor(world.platform)
    world.wait(days=2)
    world.read_all()
    assert world.compared() == (5_000, 5_000, 0, 0)


def test_a_line_in_an_unknown_currency_does_not_stop_the_rest(world: Books) -> None:
    world.funded()
    world.sandbox.control("POST", "lines", {"type": "adjustment", "amount": 101, "currency": "isk"})
    world.sandbox.control("POST", "lines", {"type": "stripe_fee", "amount": -5, "currency": "usd"})

    world.read_all()

    assert [(kind, net) for kind, _state, net in world.lines()] == [("payment", 9_680), ("fee", -5)]
    assert world.compared() == (9_675, 9_675, 0, 0)


@concurrent
def test_two_reads_at_once_store_and_post_once(world: Books) -> None:
    world.funded()
    world.sandbox.control("POST", "lines", {"type": "adjustment", "amount": -700, "currency": "usd"})
    world.sandbox.control("POST", "lines", {"type": "stripe_fee", "amount": -30, "currency": "usd"})
    statement.add_accounts(["stripe"], world.now)
    platform = world.platform.pk

    answers = together([lambda: reading.refresh(account_id=platform, now=world.now)] * 6)

    assert answers == [None] * 6
    assert [state for _kind, state, _net in world.lines()] == ["matched", "open", "matched"]
    assert (held("suspense:stripe"), held("platform:processing_costs")) == (-700, -350)
    world.read_all()
    assert world.compared() == (8_950, 8_950, 0, 0)


@concurrent
def test_the_comparison_is_exact_while_money_moves(world: Books) -> None:
    freelancer = world.freelancer()
    world.read_all()
    stop, failures = threading.Event(), []

    def trade() -> None:
        try:
            while not stop.is_set():
                world.released(freelancer=freelancer)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    traders = [threading.Thread(target=trade) for _ in range(2)]
    for trader in traders:
        trader.start()
    try:
        moments = []
        for _ in range(12):
            world.read_all()
            moments.append(world.compared())
            assert world.differences() == []
    finally:
        stop.set()
        for trader in traders:
            trader.join(60)
    assert failures == []
    assert len({theirs for theirs, *_rest in moments}) > 3
    world.read_all()
    assert world.differences() == []
    assert StatementLine.objects.exclude(state="matched").count() == 0


def test_accounts_are_queued_once_when_they_are_due(world: Books) -> None:
    job = world.settled()
    assert reading.queue_due(now=world.now) == 2
    assert reading.queue_due(now=world.now) == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'read_statement'")
        assert cursor.fetchone() == (2,)
    world.lose_jobs()
    assert reading.queue_due(now=world.now) == 2
    for account in ProviderAccount.objects.all():
        reading.refresh(account_id=account.pk, now=world.now)

    connected = ProviderAccount.objects.get(account=world.account(job.freelancer))
    assert world.platform.due_at == world.now + statement.PLATFORM_EVERY
    assert connected.due_at is not None
    assert timedelta(hours=18) <= connected.due_at - world.now <= timedelta(days=1)


def test_the_other_side_of_a_transfer_is_read_soon(world: Books) -> None:
    first = world.settled()
    world.read_all()
    account = ProviderAccount.objects.get(account=world.account(first.freelancer))
    world.released(freelancer=first.freelancer)

    reading.refresh(account_id=world.platform.pk, now=world.now)

    account.refresh_from_db()
    assert account.due_at == world.now + statement.SOON


def test_an_account_whose_line_waits_for_its_object_is_read_again_soon(world: Books) -> None:
    world.funded()
    statement.add_accounts(["stripe"], world.now)
    world.at_provider("payment_intents", amount="700", currency="usd", confirm="true", payment_method="pm_card_visa",
        **{"metadata[reference]": "create_payment:1:1", "return_url": "http://127.0.0.1/"})  # fmt: skip

    reading.refresh(account_id=world.platform.pk, now=world.now)

    assert world.lines()[1:] == [("payment", "new", 650)]
    assert world.platform.due_at == world.now + statement.AGAIN
    assert world.differences() == []
    world.wait(hours=1)
    world.read_all()
    assert world.open_items() == [("payment", 650)]


def test_an_event_about_an_account_makes_its_statement_due(world: Books) -> None:
    job = world.settled()
    world.read_all()
    account = ProviderAccount.objects.get(account=world.account(job.freelancer))
    world.hear()
    world.read_all()
    world.withdrawn(job.freelancer, dollars("10.00"))
    account.refresh_from_db()
    assert account.due_at is not None
    assert account.due_at > world.now + timedelta(hours=1)

    world.hear()

    account.refresh_from_db()
    assert account.due_at is not None
    assert account.due_at < world.now + timedelta(minutes=1)
