"""The wallet's history: its rows, its filters, and the totals that a trigger keeps."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Sum

from multitask.money import Money
from multitask.payments.models import HistoryRow, HistoryTotal
from multitask.payments.reads import wallet
from multitask.payments.reads.wallet import Filter
from multitask.users.actor import Actor
from tests.payments_world import Job, World, dollars, user_id


def rows(actor: Actor, **wanted: object) -> list[HistoryRow]:
    return list(wallet.rows(user_id(actor), Filter(**wanted)))  # type: ignore[arg-type]


def count(actor: Actor, **wanted: object) -> int:
    return wallet.count(user_id(actor), Filter(**wanted))  # type: ignore[arg-type]


def told(actor: Actor) -> list[tuple[str, str, str, int, int]]:
    """Oldest first: type, status, direction, amount, fee."""
    return [(r.type, r.status, r.direction, r.amount_minor, r.fee_minor) for r in reversed(rows(actor))]


def totals_agree() -> bool:
    """Compare every total with the rows that it counts."""
    key = ("user_id", "currency", "type", "status", "direction")
    counted = HistoryRow.objects.values_list(*key).annotate(Count("pk"), Sum("amount_minor"), Sum("fee_minor"))
    kept = HistoryTotal.objects.exclude(rows=0).values_list(*key, "rows", "amount_minor", "fee_minor")
    return sorted(counted.order_by()) == sorted(kept)


def eventful(world: World) -> Job:
    """A job of which part was refunded and the rest released and partly withdrawn."""
    job = world.completed()
    world.refund(job, job.freelancer, dollars("20.00"))
    world.work()
    world.release(job)
    world.work()
    world.settle(job)
    world.arrive(world.withdrawn(job.freelancer, dollars("30.00")))
    return job


def test_each_sees_his_own_side(world: World) -> None:
    job = eventful(world)
    assert told(job.client) == [
        ("escrow_deposit", "completed", "out", 10_000, 0),
        ("refund", "completed", "in", 2_000, 0),
        ("escrow_release", "completed", "neutral", 8_000, 1_200),
    ]
    assert told(job.freelancer) == [
        ("escrow_release", "completed", "in", 8_000, 1_200),
        ("platform_fee", "completed", "out", 1_200, 0),
        ("withdrawal", "completed", "out", 3_000, 0),
    ]
    assert totals_agree()


def test_a_row_names_both_sides_and_the_task(world: World) -> None:
    job = eventful(world)
    row = rows(job.freelancer, type="escrow_release")[0]
    assert row.escrow is not None
    assert row.sender is not None
    assert row.recipient is not None
    assert (row.escrow.agreement.title, row.sender.pk, row.recipient.pk) == (
        "Draw a logo", job.client.user_id, job.freelancer.user_id,
    )  # fmt: skip
    assert row.processed_at is not None


def test_the_newest_comes_first(world: World) -> None:
    job = eventful(world)
    pks = [row.pk for row in rows(job.client)]
    assert pks == sorted(pks, reverse=True)


def test_strangers_have_no_history(world: World) -> None:
    eventful(world)
    assert rows(world.client()) == []
    assert count(world.client()) == 0


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, 3),
        ({"type": "refund"}, 1),
        ({"type": "withdrawal"}, 0),
        ({"status": "completed"}, 3),
        ({"status": "failed"}, 0),
        ({"currency": "USD"}, 3),
        ({"currency": "EUR"}, 0),
        ({"type": "refund", "status": "completed", "currency": "USD"}, 1),
        ({"search": "logo"}, 3),
        ({"search": "LOGO"}, 3),
        ({"search": "refund for"}, 1),
        ({"search": "nowhere"}, 0),
        ({"search": "100%"}, 0),
        ({"search": "refund", "type": "escrow_deposit"}, 0),
    ],
)
def test_filters_find_and_count_the_same_rows(world: World, wanted: dict[str, str], found: int) -> None:
    job = eventful(world)
    assert len(rows(job.client, **wanted)) == found
    assert count(job.client, **wanted) == found


def test_a_search_finds_people(world: World) -> None:
    job = eventful(world)
    other = world.released(client=job.client)
    name = other.freelancer.label
    assert {row.escrow_id for row in rows(job.client, search=name)} == {other.escrow.pk}
    assert count(job.client, search=name) == 2


def test_a_period_has_its_first_moment_and_not_its_last(world: World) -> None:
    client = world.client()
    first_at = world.now
    world.funded(client=client)
    world.wait(days=1)
    second_at = world.now
    world.funded(client=client)
    tick = timedelta(microseconds=1)
    assert count(client, start=first_at) == len(rows(client, start=first_at)) == 2
    assert count(client, start=first_at + tick) == len(rows(client, start=first_at + tick)) == 1
    assert count(client, end=second_at) == len(rows(client, end=second_at)) == 1
    assert count(client, end=second_at + tick) == len(rows(client, end=second_at + tick)) == 2
    assert count(client, start=first_at + tick, end=second_at) == 0


def test_a_row_that_changes_moves_from_one_total_to_the_other(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    assert (count(job.client, status="pending"), count(job.client, status="completed")) == (1, 0)
    world.pay(job)
    world.learn_of_payment(job)
    assert (count(job.client, status="pending"), count(job.client, status="completed")) == (0, 1)
    assert totals_agree()


def test_lifetime_figures_come_from_completed_rows_alone(world: World) -> None:
    job = world.funded()
    assert world.wallet(job.client).lifetime_spent == dollars("100.00")
    world.ask_to_pay(world.hired(client=job.client))
    assert world.wallet(job.client).lifetime_spent == dollars("100.00")
    world.refund(job)
    assert world.wallet(job.client).lifetime_spent == dollars("100.00")
    world.work()
    assert world.wallet(job.client).lifetime_spent == dollars("0.00")


def test_wallets_of_other_currencies_stand_behind_the_default_one(world: World) -> None:
    client = world.client()
    world.funded(Money(5_000, "GBP"), client=client)
    world.funded(Money(7_000, "EUR"), client=client)
    seen = wallet.balances(user_id=user_id(client), default_currency="USD")
    assert [(b.escrowed.currency, b.escrowed.amount_minor) for b in seen] == [
        ("USD", 0),
        ("EUR", 7_000),
        ("GBP", 5_000),
    ]


@pytest.mark.breaks_the_books
def test_totals_follow_every_kind_of_change(world: World) -> None:
    eventful(world)
    eventful(world)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_historyrow SET status = 'failed' WHERE type = 'withdrawal'")
        assert totals_agree()
        cursor.execute("UPDATE payments_historyrow SET amount_minor = amount_minor + 1, fee_minor = fee_minor + 2")
        assert totals_agree()
        cursor.execute("UPDATE payments_historyrow SET failure_reason = 'nothing that is counted'")
        assert totals_agree()
        cursor.execute(
            "INSERT INTO payments_historyrow (public_id, user_id, type, status, direction, amount_minor, fee_minor,"
            " currency, reference, description, created_at, failure_reason)"
            " SELECT gen_random_uuid(), user_id, type, status, direction, amount_minor, fee_minor, currency,"
            " 'copy:' || reference, description, created_at, '' FROM payments_historyrow"
        )
    assert totals_agree()
    assert HistoryTotal.objects.aggregate(rows=Sum("rows"))["rows"] == HistoryRow.objects.count()


@pytest.mark.parametrize(
    "change",
    ["direction = 'up'", "amount_minor = 0", "fee_minor = -1", "status = 'lost'", "currency = 'usd'"],
)
def test_the_database_refuses_rows_that_make_no_sense(world: World, change: str) -> None:
    world.funded()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE payments_historyrow SET {change}")


def test_one_event_is_told_once_to_each(world: World) -> None:
    world.funded()
    row = HistoryRow.objects.get()
    row.pk = None
    row.public_id = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)
