"""Concurrent postings: no deadlock, one effect per key, and no account falls below its floor."""

import random
import threading
from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import cast
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction

from multitask import ledger
from multitask.ledger import AccountRef, Leg, Posting, checks
from tests.integration.ledger.books import (
    BANK,
    FEES,
    HOT_BANK,
    NOON,
    cents,
    count_of,
    fresh_key,
    move,
    post,
    rows,
    usd,
    write,
)
from tests.integration.ledger.connections import together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("writer")]

HELD = AccountRef("held:1")


def test_32_connections_in_opposite_directions_over_12_accounts_never_deadlock() -> None:
    """The accounts do not exist yet, so the postings also compete to open them."""
    accounts = [AccountRef(f"purse:{number}", None) for number in range(9)]
    accounts += [FEES, HOT_BANK, AccountRef("shards", None, shards=2)]
    expected: Counter[str] = Counter()
    counting = threading.Lock()

    def churn(seed: int) -> int:
        dice = random.Random(seed)
        for _ in range(20):
            chosen = dice.sample(accounts, dice.choice([2, 2, 3, 5]))
            amounts = [dice.randint(1, 900) for _ in chosen[1:]]
            moves = dict(zip(chosen, [-sum(amounts), *amounts], strict=True))
            post({account: usd(amount) for account, amount in moves.items()}, f"{seed}:{fresh_key()}")
            with counting:
                expected.update({account.code: amount for account, amount in moves.items()})
        return seed

    seeds = list(range(32))
    assert together([lambda seed=seed: churn(seed) for seed in seeds]) == seeds  # type: ignore[misc]
    assert {row.account: row.balance.amount_minor for row in ledger.trial_balance()} == dict(expected)
    assert count_of("ledger_transaction") == 32 * 20
    assert checks.run() == []


def test_of_50_debits_of_the_whole_balance_one_is_paid() -> None:
    move(BANK, HELD, 10_000)
    answers = together([lambda: move(HELD, BANK, 10_000)] * 50)
    assert [type(answer).__name__ for answer in answers].count("Posting") == 1
    assert sum(isinstance(answer, ledger.InsufficientBalance) for answer in answers) == 49
    assert cents(HELD) == 0


def test_debits_of_a_part_are_paid_as_often_as_they_fit() -> None:
    move(BANK, HELD, 1_000)
    answers = together([lambda: move(HELD, BANK, 150)] * 16)
    assert sum(isinstance(answer, Posting) for answer in answers) == 6
    assert cents(HELD) == 100


def test_one_key_has_one_effect_and_one_answer() -> None:
    """The losers debit an account that the winner emptied, and still get the winner's posting."""
    move(BANK, HELD, 500)
    answers = together([lambda: move(HELD, FEES, 500, "same")] * 24)
    assert {answer.id for answer in answers} == {answers[0].id}
    assert sorted(answer.created for answer in answers) == [False] * 23 + [True]
    assert (cents(HELD), cents(FEES)) == (0, 500)


def test_one_key_for_two_requests_goes_to_one_of_them() -> None:
    answers = together([lambda amount=amount: move(BANK, HELD, amount, "same") for amount in (5, 7) * 8])  # type: ignore[misc]
    winners = {answer.id for answer in answers if isinstance(answer, Posting)}
    assert len(winners) == 1
    assert sum(isinstance(answer, ledger.IdempotencyConflict) for answer in answers) == 8
    assert cents(HELD) in (5, 7)


def test_whoever_waited_for_a_posting_that_failed_posts_itself() -> None:
    holding, may_fail = threading.Event(), threading.Event()

    def fail() -> None:
        with transaction.atomic():
            legs = [Leg(BANK, usd(-5)), Leg(HELD, usd(5))]
            write(kind="moved", scope="test", key="same", legs=legs, effective_at=NOON)
            holding.set()
            assert may_fail.wait(30)
            transaction.set_rollback(True)

    def follow() -> Posting:
        assert holding.wait(30)
        return move(BANK, HELD, 5, "same")

    def release() -> None:
        assert holding.wait(30)
        wait_for_a_waiter()
        may_fail.set()

    _, posting, _ = together([fail, follow, release])
    assert posting.created
    assert cents(HELD) == 5


def test_one_transaction_is_reversed_by_one_of_many() -> None:
    posted = move(BANK, HELD, 500)
    move(BANK, HELD, 5_000)
    answers = together([lambda: move(HELD, BANK, 500, reverses=posted.id)] * 12)
    assert sum(isinstance(answer, Posting) for answer in answers) == 1
    assert sum(isinstance(answer, ledger.AlreadyReversed) for answer in answers) == 11
    assert cents(HELD) == 5_000


def test_an_account_is_opened_by_one_of_many() -> None:
    together([lambda: move(HOT_BANK, HELD, 5)] * 24)
    assert (cents(HELD), cents(HOT_BANK)) == (24 * 5, -24 * 5)
    assert count_of("ledger_account") == 2
    assert count_of("ledger_balance") == 33


def test_those_who_open_the_same_accounts_in_opposite_orders_never_deadlock() -> None:
    def open_all(number: int, step: int) -> None:
        for round_number in range(15):
            new = [AccountRef(f"new:{round_number}:{place}", floor_minor=None) for place in range(8)][::step]
            post({account: usd(number * (7 if place == 0 else -1)) for place, account in enumerate(new)})

    assert together([partial(open_all, number, step) for number in (1, 2, 3) for step in (1, -1)]) == [None] * 6


def test_a_hot_account_is_not_waited_for() -> None:
    """While one transaction has its shard of the fees locked, others post to their own."""
    move(BANK, FEES, 1)
    holding, others_done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            legs = [Leg(AccountRef("purse:slow", None), usd(-5)), Leg(FEES, usd(5))]
            write(kind="slow", scope="test", key="slow", legs=legs, effective_at=NOON)
            holding.set()
            assert others_done.wait(60), "the others waited for the hot account"

    def others() -> bool:
        assert holding.wait(30)
        ((mine,),) = rows("SELECT pg_backend_pid() % 32")
        ((theirs,),) = rows("SELECT pid % 32 FROM pg_stat_activity WHERE state = 'idle in transaction' LIMIT 1")
        if mine == theirs:
            return False
        rows("SET lock_timeout = '20s'")
        move(AccountRef(f"purse:{mine}", None), FEES, 5)
        others_done.set()
        return True

    held, *posted = together([hold, others, others])
    assert held is None
    assert True in posted, "two connections in a row do not share a shard with a third"


def test_a_lock_timeout_of_the_caller_is_kept() -> None:
    move(BANK, HELD, 500)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            write(kind="m", scope="test", key="k", legs=[Leg(HELD, usd(-5)), Leg(BANK, usd(5))], effective_at=NOON)
            holding.set()
            assert done.wait(60)

    def hurry() -> None:
        assert holding.wait(30)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '50ms'")
                legs = [Leg(HELD, usd(-5)), Leg(FEES, usd(5))]
                write(kind="m", scope="test", key="h", legs=legs, effective_at=NOON)
        finally:
            done.set()

    held, hurried = together([hold, hurry])
    assert held is None
    assert isinstance(hurried, OperationalError)
    assert "lock timeout" in str(hurried)
    assert cents(FEES) == 0


def test_moments_do_not_go_back_while_many_wait() -> None:
    together([lambda: [move(BANK, HELD, 1) for _ in range(5)]] * 12)
    moments = [entry.recorded_at for entry in reversed(ledger.entries("held:1", "USD", limit=100))]
    assert len(moments) == 60
    assert moments == sorted(moments)


def test_a_clock_that_was_set_back_does_not_turn_the_books_back() -> None:
    """Change the balances as if the clock of the server had been an hour ahead before."""
    move(BANK, HELD, 5)
    rows("BEGIN; SET LOCAL ledger.writer = 'ledger_post';"
         " UPDATE ledger_balance SET recorded_at = recorded_at + interval '1 hour'; COMMIT")  # fmt: skip
    posting = move(BANK, HELD, 7)
    fees = move(HELD, FEES, 1)
    first, *_ = ledger.transaction(posting.id).entries
    assert first.recorded_at > ledger.closed_until() + timedelta(minutes=50)
    assert {entry.recorded_at for entry in ledger.transaction(fees.id).entries} == {first.recorded_at}


def test_a_posting_that_waited_is_recorded_after_those_it_waited_for() -> None:
    """It started before it waited: all its entries and balances get the later time."""
    move(BANK, HELD, 5)
    started = threading.Event()

    def hold() -> UUID:
        with transaction.atomic():
            rows("SELECT FROM ledger_balance JOIN ledger_account ON id = account_id WHERE code = 'bank' FOR UPDATE")
            started.set()
            wait_for_a_waiter()
            return move(HELD, AccountRef("payee:9"), 2).id

    def wait() -> UUID:
        started.wait(30)
        return move(BANK, HELD, 7).id

    first, second = together([hold, wait])
    earlier, later = ledger.transaction(first), ledger.transaction(second)
    assert later.created_at < earlier.created_at
    assert {entry.recorded_at for entry in later.entries} == {entry.recorded_at for entry in earlier.entries}
    assert [entry.balance_after.amount_minor for entry in later.entries if entry.account == "held:1"] == [10]


def test_of_several_that_are_posting_the_oldest_keeps_the_period_open() -> None:
    older_posted, younger_posted, asked = threading.Event(), threading.Event(), threading.Event()

    def older() -> None:
        with transaction.atomic():
            move(BANK, HELD, 5)
            older_posted.set()
            assert asked.wait(30)

    def younger() -> datetime:
        assert older_posted.wait(30)
        ((before,),) = rows("SELECT clock_timestamp()")
        with transaction.atomic():
            move(AccountRef("bank:2", None), AccountRef("payee:9"), 5)
            younger_posted.set()
            assert asked.wait(30)
        return cast(datetime, before)

    def ask() -> datetime:
        assert younger_posted.wait(30)
        try:
            return ledger.closed_until()
        finally:
            asked.set()

    _, before, closed = together([older, younger, ask])
    assert closed < before


def wait_for_a_waiter() -> None:
    """Return as soon as a connection waits for the transaction of another one."""
    deadline = 30.0
    while not rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"):
        threading.Event().wait(0.01)
        deadline -= 0.01
        assert deadline > 0, "nobody ever waited"
