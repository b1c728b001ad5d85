"""Queries: at a moment, over a period, and page by page."""

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multitask import ledger
from multitask.ledger import AccountRef, Entry, Leg
from multitask.money import Money
from tests.integration.ledger.books import BANK, FEES, NOON, fresh_key, move, post, rows, usd

HELD = AccountRef("held:1")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def recorded_at(code: str) -> list[datetime]:
    """Return the times at which the entries of an account were recorded, oldest first."""
    return [entry.recorded_at for entry in reversed(ledger.entries(code, "USD", limit=1000))]


def later() -> datetime:
    """Return a time after all postings so far."""
    return datetime.now(UTC) + timedelta(seconds=1)


@pytest.mark.django_db
def test_an_account_that_nobody_posted_to_holds_nothing() -> None:
    assert ledger.balance("nobody", "USD") == usd(0)
    assert ledger.balances(["nobody"]) == {}
    assert ledger.turnover("nobody", "USD") == (usd(0), usd(0))
    assert ledger.balance_as_of("nobody", "USD", later()) == usd(0)
    assert ledger.entries("nobody", "USD") == []
    drawn = ledger.statement("nobody", "USD", LONG_AGO, later())
    assert (drawn.opening, drawn.entries, drawn.closing) == (usd(0), (), usd(0))
    assert ledger.trial_balance() == []


@pytest.mark.django_db
def test_many_balances_cost_one_query() -> None:
    move(BANK, HELD, 500)
    with CaptureQueriesContext(connection) as queries:
        assert len(ledger.balances(["bank", "held:1", "fees"])) == 2
    assert len(queries) == 1


@pytest.mark.django_db
def test_what_postings_moved_in_an_account_is_found_by_their_keys() -> None:
    move(BANK, HELD, 500, key="one")
    move(HELD, BANK, 200, key="two")
    post({BANK: Money(-7, "EUR"), HELD: Money(7, "EUR")}, key="three")
    move(BANK, FEES, 40, key="four")
    keys = ["one", "two", "three", "four", "five"]
    with CaptureQueriesContext(connection) as queries:
        found = ledger.moved("held:1", scope="test", keys=keys)
    assert found == {("one", "USD"): usd(500), ("two", "USD"): usd(-200), ("three", "EUR"): Money(7, "EUR")}
    assert len(queries) == 1
    assert ledger.moved("held:1", scope="other", keys=keys) == {}
    assert ledger.currencies("held:1") == ["EUR", "USD"]


@pytest.mark.django_db
def test_what_was_moved_before_a_moment_leaves_out_what_was_recorded_later() -> None:
    move(BANK, HELD, 500, key="one")
    move(BANK, HELD, 200, key="two")
    _first, second = recorded_at("held:1")
    assert ledger.moved("held:1", scope="test", keys=["one", "two"], before=second) == {("one", "USD"): usd(500)}


@pytest.mark.django_db
def test_the_balance_at_a_moment_is_of_what_was_recorded_before_it() -> None:
    amounts = [100, -30, 5, -75, 1000]
    for amount in amounts:
        move(BANK, HELD, amount) if amount > 0 else move(HELD, BANK, -amount)
    moments = recorded_at("held:1")
    for number, moment in enumerate(moments):
        assert ledger.balance_as_of("held:1", "USD", moment) == usd(sum(amounts[:number]))
        after = moment + timedelta(microseconds=1)
        assert ledger.balance_as_of("held:1", "USD", after) == usd(sum(amounts[: number + 1]))
    assert ledger.balance_as_of("held:1", "USD", LONG_AGO) == usd(0)


@pytest.mark.django_db
def test_it_is_recording_that_counts_not_the_moment_of_effect() -> None:
    move(BANK, HELD, 100, effective_at=LONG_AGO)
    assert ledger.balance_as_of("held:1", "USD", LONG_AGO + timedelta(days=1)) == usd(0)


@pytest.mark.django_db
def test_a_statement_opens_adds_up_and_closes() -> None:
    for amount in (100, 20, 3):
        move(BANK, HELD, amount)
    first, second, third = recorded_at("held:1")
    drawn = ledger.statement("held:1", "USD", second, third)
    assert (drawn.opening, drawn.closing) == (usd(100), usd(120))
    assert [entry.amount for entry in drawn.entries] == [usd(20)]
    assert drawn.closing == ledger.balance_as_of("held:1", "USD", third)
    whole = ledger.statement("held:1", "USD", first, later())
    assert ([entry.sequence for entry in whole.entries], whole.closing) == ([1, 2, 3], usd(123))
    assert not whole.is_final, "it reaches into the future"
    assert ledger.statement("held:1", "USD", first, third).is_final
    with pytest.raises(ValueError, match="must not be before"):
        ledger.statement("held:1", "USD", third, first)
    nothing = ledger.statement("held:1", "USD", second, second)
    assert (nothing.opening, nothing.entries, nothing.closing) == (usd(100), (), usd(100))


@pytest.mark.django_db
def test_a_sharded_account_reads_as_one() -> None:
    sharded_rows(50)
    drawn = ledger.statement("fees", "USD", LONG_AGO, later())
    assert [entry.amount.amount_minor for entry in drawn.entries] == list(range(1, 51))
    assert drawn.closing == ledger.balance("fees", "USD") == usd(sum(range(1, 51)))
    moment = drawn.entries[20].recorded_at
    assert ledger.balance_as_of("fees", "USD", moment) == usd(sum(range(1, 21)))
    (row,) = [row for row in ledger.trial_balance() if row.account == "fees"]
    assert (row.debits, row.credits, row.balance) == (usd(0), usd(1275), usd(1275))


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, 7, 50, 60])
def test_pages_follow_each_other_without_gap_or_repeat(size: int) -> None:
    sharded_rows(50)
    seen: list[Entry] = []
    while page := ledger.entries("fees", "USD", limit=size, before=seen[-1] if seen else None):
        assert len(page) <= size
        seen += page
    assert [entry.amount.amount_minor for entry in seen] == list(range(50, 0, -1))


@pytest.mark.django_db
def test_a_page_has_fifty_entries_unless_told_otherwise() -> None:
    sharded_rows(51)
    assert len(ledger.entries("fees", "USD")) == 50


def sharded_rows(count: int) -> None:
    """Credit 1, 2, 3 ... to the fees, on changing shards, some at the same time."""
    legs = [Leg(BANK, usd(-1)), Leg(FEES, usd(1))]
    with transaction.atomic():
        ledger.post(kind="m", scope="test", key=fresh_key(), legs=legs, effective_at=NOON)
    ((account, bank),) = rows("""
        SELECT max(id) FILTER (WHERE code = 'fees'), max(id) FILTER (WHERE code = 'bank') FROM ledger_account""")
    rows("SET CONSTRAINTS ALL IMMEDIATE")
    rows("SET CONSTRAINTS ALL DEFERRED")
    rows("SET LOCAL ledger.writer = 'ledger_post'")
    ((home,),) = rows("SELECT shard FROM ledger_balance WHERE account_id = %s AND sequence = 1", [account])
    ((begin,),) = rows("SELECT recorded_at FROM ledger_balance WHERE account_id = %s AND shard = %s", [account, home])
    for number in range(2, count + 1):
        # Three in a row have the same time; readers order them by shard.
        shard = (home + 1 + number % 3) % 32 if home < 28 else number % 3
        one_posting(account, bank, shard, number, begin + timedelta(milliseconds=1 + number // 3))
    rows("RESET ledger.writer")


def one_posting(account: int, bank: int, shard: int, amount: int, moment: datetime) -> None:
    """Write the rows that ledger_post would write, with a given shard and time."""
    transaction_id = uuid.uuid4()
    rows(
        """
        WITH header AS (
            INSERT INTO ledger_transaction (id, kind, scope, key, request_hash, legs, effective_at, created_at,
                                            description, details)
            VALUES (%(id)s, 'm', 'test', %(id)s,
                    ledger_request_hash('m', NULL, ARRAY['bank', 'fees'], ARRAY['USD', 'USD'],
                                        ARRAY[-%(amount)s, %(amount)s]::bigint[]),
                    2, now(), %(moment)s, '', '{}')),
        moved AS (
            UPDATE ledger_balance balance
               SET credits_minor = credits_minor + greatest(leg.amount, 0),
                   debits_minor = debits_minor + greatest(-leg.amount, 0),
                   balance_minor = balance_minor + leg.amount, sequence = sequence + 1, recorded_at = %(moment)s
              FROM (VALUES (1, %(bank)s, 0, -%(amount)s), (2, %(account)s, %(shard)s, %(amount)s))
                   leg (position, account, shard, amount)
             WHERE balance.account_id = leg.account AND balance.shard = leg.shard
            RETURNING leg.*, balance.balance_minor, balance.sequence)
        INSERT INTO ledger_entry (transaction_id, position, account_id, shard, sequence, currency, amount_minor,
                                  balance_after_minor, created_at)
        SELECT %(id)s, position, account, shard, sequence, 'USD', amount, balance_minor, %(moment)s FROM moved
        """,
        {
            "id": str(transaction_id),
            "account": account,
            "bank": bank,
            "shard": shard,
            "amount": amount,
            "moment": moment,
        },
    )


@pytest.mark.django_db
def test_a_transaction_that_is_not_there_is_unknown() -> None:
    with pytest.raises(ledger.UnknownTransaction) as refused:
        ledger.transaction(uuid.uuid4())
    assert refused.value.code == "unknown_transaction"


@pytest.mark.django_db
def test_the_trial_balance_sums_to_zero_in_each_currency() -> None:
    post({BANK: usd(-100), HELD: usd(85), FEES: usd(15)})
    post({BANK: Money(-7, "JPY"), HELD: Money(7, "JPY")})
    found = {(row.currency, row.account): row.balance.amount_minor for row in ledger.trial_balance()}
    assert found == {
        ("JPY", "bank"): -7,
        ("JPY", "held:1"): 7,
        ("USD", "bank"): -100,
        ("USD", "fees"): 15,
        ("USD", "held:1"): 85,
    }


@pytest.mark.django_db
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.integers(-50, 50).filter(bool), min_size=1, max_size=25), cut=st.integers(0, 25))
def test_opening_and_entries_make_the_closing_wherever_it_is_cut(moves: list[int], cut: int) -> None:
    with transaction.atomic():
        account = AccountRef(f"held:{fresh_key()}", floor_minor=None)
        for amount in moves:
            post({account: usd(amount), BANK: usd(-amount)})
        moments = [*recorded_at(account.code), later()]
        at = moments[min(cut, len(moves))]
        before = ledger.statement(account.code, "USD", LONG_AGO, at)
        after = ledger.statement(account.code, "USD", at, later())
        assert before.closing == after.opening == ledger.balance_as_of(account.code, "USD", at)
        assert after.closing == usd(sum(moves)) == ledger.balance(account.code, "USD")
        transaction.set_rollback(True)


def test_the_books_close_only_behind_those_who_are_posting(transactional_db: None) -> None:
    move(BANK, HELD, 100)
    posted, may_end = threading.Event(), threading.Event()
    answers: list[datetime] = []

    def slow_posting() -> None:
        try:
            with transaction.atomic():
                answers.append(datetime.now(UTC))
                legs = [Leg(BANK, usd(-5)), Leg(HELD, usd(5))]
                ledger.post(kind="slow", scope="test", key="slow", legs=legs, effective_at=NOON)
                posted.set()
                assert may_end.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=slow_posting)
    thread.start()
    assert posted.wait(30)
    moment = datetime.now(UTC)
    held_back = ledger.closed_until()
    open_statement = ledger.statement("held:1", "USD", LONG_AGO, moment)
    may_end.set()
    thread.join(30)
    assert answers[0] - timedelta(seconds=5) < held_back < moment
    assert (open_statement.is_final, open_statement.closing) == (False, usd(100))
    assert ledger.closed_until() > moment
    closed = ledger.statement("held:1", "USD", LONG_AGO, moment)
    assert (closed.is_final, closed.closing) == (True, usd(105))
    move(BANK, HELD, 1000)
    assert ledger.balance_as_of("held:1", "USD", moment) == usd(105)
    assert ledger.statement("held:1", "USD", LONG_AGO, moment).entries == closed.entries
