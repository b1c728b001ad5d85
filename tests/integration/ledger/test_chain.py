"""The hash chain over the transactions: what a superuser changes behind its head is found and named."""

import threading
import time
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import Error, transaction

from multitask import ledger
from multitask.ledger import AccountRef, chain, checks, proof
from tests.integration.ledger.books import BANK, FEES, move, post, rows, settle_constraints, usd
from tests.integration.ledger.connections import together
from tests.integration.ledger.test_checks import WITHOUT_GUARDS, check_ledger

DEADLINE_SECONDS = 60
HELD = AccountRef("held:1")
CHAIN_WITHOUT_GUARD = "ALTER TABLE ledger_link DISABLE TRIGGER ALL"
OLD = "(SELECT id FROM ledger_transaction WHERE key = 'moved:1')"
# What a superuser may do to one old transaction, and the words that name it.
TAMPERINGS = {
    "an amount": (
        f"UPDATE ledger_entry SET amount_minor = -77 WHERE transaction_id = {OLD} AND position = 1",
        "is not",
    ),
    "a balance after": (
        f"UPDATE ledger_entry SET balance_after_minor = 7 WHERE transaction_id = {OLD} AND position = 2",
        "is not as it was chained",
    ),
    "an entry's moment": (
        f"UPDATE ledger_entry SET created_at = created_at + interval '1 us' WHERE transaction_id = {OLD}",
        "is not as it was chained",
    ),
    "a missing entry": (f"DELETE FROM ledger_entry WHERE transaction_id = {OLD} AND position = 2", "is not"),
    "another entry": (
        "INSERT INTO ledger_entry SELECT transaction_id, account_id, amount_minor, 99, balance_after_minor, created_at,"
        f" 3, shard, currency FROM ledger_entry WHERE transaction_id = {OLD} AND position = 2",
        "is not as it was chained",
    ),
    "a header's text": ("UPDATE ledger_transaction SET description = 'x' WHERE key = 'moved:1'", "is not"),
    "a header's details": ("UPDATE ledger_transaction SET details = '{\"a\": 1}' WHERE key = 'moved:1'", "is not"),
    "a header's moment": (
        "UPDATE ledger_transaction SET effective_at = effective_at - interval '1 day' WHERE key = 'moved:1'",
        "is not as it was chained",
    ),
    "an account's name": ("UPDATE ledger_account SET code = 'held:9' WHERE code = 'held:1'", "is not as it was"),
    "a missing transaction": (
        f"DELETE FROM ledger_entry WHERE transaction_id = {OLD}; DELETE FROM ledger_transaction WHERE key = 'moved:1'",
        "it had 3 transactions, 1 of them are gone",
    ),
    "another transaction": (
        "INSERT INTO ledger_transaction SELECT (left(id::text, 35) || CASE right(id::text, 1)"
        " WHEN 'f' THEN 'e' ELSE 'f' END)::uuid, kind, scope, 'new', request_hash,"
        " legs, effective_at, created_at, NULL, '', '{}' FROM ledger_transaction WHERE key = 'moved:1'",
        "is not as it was chained",
    ),
}


def wait_until_closed() -> None:
    """Wait until everything that was posted so far can be chained."""
    ((newest,),) = rows("SELECT max(created_at) FROM ledger_transaction")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while ledger.closed_until() < newest + timedelta(milliseconds=2):
        assert time.monotonic() < deadline, "the last transaction is never closed"


def chained() -> int:
    """Chain everything that was posted so far with one link; return how many transactions the chain covers."""
    wait_until_closed()
    chain.extend(until=ledger.closed_until())
    return chain.head().transactions


@pytest.fixture
def books(db: None) -> None:
    """Two links: three transactions, and one."""
    for number in range(3):
        move(BANK, HELD, 100, f"moved:{number}")
    settle_constraints()
    chained()
    post({HELD: usd(-100), AccountRef("payee:1"): usd(85), FEES: usd(15)}, "released")
    settle_constraints()
    chained()


def test_links_follow_each_other(books: None) -> None:
    links = rows("SELECT number, transactions, length(digests) / 32, length(hash) FROM ledger_link ORDER BY number")
    assert links[0] == (1, 3, 3, 32)
    assert links[-1][1] == 4
    assert checks.run() == []
    assert proof.run() == []


def test_nothing_new_appends_nothing(books: None) -> None:
    before = chain.head()
    assert chain.extend(until=ledger.closed_until()) == 0
    assert chain.head() == before


def test_the_chain_is_behind_while_a_closed_transaction_has_no_link(db: None) -> None:
    assert not chain.is_behind(until=ledger.closed_until())
    for number in range(2):
        move(BANK, HELD, 1, f"moved:{number}")
        settle_constraints()
        wait_until_closed()
        assert not chain.is_behind(), "it is younger than what the job covers"
        assert chain.is_behind(until=ledger.closed_until())
        chained()
        assert not chain.is_behind(until=ledger.closed_until())


def test_young_transactions_wait(books: None) -> None:
    move(BANK, HELD, 1)
    settle_constraints()
    assert chain.extend() == 0
    assert chain.extend(until=ledger.closed_until() - timedelta(hours=1)) == 0


def test_an_empty_ledger_has_no_chain(db: None) -> None:
    assert chain.extend(until=ledger.closed_until()) == 0
    assert chain.head() == chain.GENESIS
    assert chain.hash_of(0) == bytes(32)
    assert chain.hash_of(1) is None
    assert list(chain.verify()) == []


def broken_by(*statements: str) -> list[str]:
    """Return what the chain's check finds after these statements, which are rolled back."""
    with transaction.atomic():
        for statement in (*WITHOUT_GUARDS, CHAIN_WITHOUT_GUARD, *statements):
            rows(statement)
        whole = [found.detail for found in checks.run() if found.invariant == "chain_is_unbroken"]
        part = [found.detail for found in proof.run() if found.invariant == "chain_is_unbroken"]
        assert part == whole
        transaction.set_rollback(True)
    return whole


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_superuser_who_changes_one_old_entry_is_found(books: None, tampering: str) -> None:
    statement, words = TAMPERINGS[tampering]
    found = broken_by(statement)
    assert found[0].startswith("link 1, ")
    assert words in found[0]


def test_the_changed_transaction_is_named(books: None) -> None:
    ((number,),) = rows("SELECT id FROM ledger_transaction WHERE key = 'moved:1'")
    (found,) = broken_by("UPDATE ledger_transaction SET kind = 'other' WHERE key = 'moved:1'")
    assert f"transaction {number} is not as it was chained" in found


def test_hiding_a_change_in_its_own_link_breaks_the_next(books: None) -> None:
    """A link that was computed anew has another hash, from which the next one does not follow."""
    changed = "UPDATE ledger_link SET hash = sha256(hash) WHERE number = 1"
    assert broken_by(changed) == [
        "link 1 is not what it was: its hash does not follow from link 0",
        "link 2 is not what it was: its hash does not follow from link 1",
    ]
    assert "link 1 is missing" in broken_by("DELETE FROM ledger_link WHERE number = 1")[0]


def test_links_may_be_verified_from_a_later_one(books: None) -> None:
    with transaction.atomic():
        for statement in (*WITHOUT_GUARDS, "UPDATE ledger_transaction SET kind = 'other' WHERE key = 'moved:1'"):
            rows(statement)
        assert list(chain.verify(first=2)) == []
        assert list(chain.verify(first=1, last=1)) != []
        transaction.set_rollback(True)


def test_the_command_names_the_first_broken_link(books: None) -> None:
    with transaction.atomic():
        for statement in (*WITHOUT_GUARDS, "UPDATE ledger_transaction SET description = 'x' WHERE key = 'moved:0'"):
            rows(statement)
        _, whole = check_ledger()
        _, part = check_ledger("--bounded")
        transaction.set_rollback(True)
    assert "broken: chain_is_unbroken: link 1, of the transactions up to " in whole
    assert "broken: chain_is_unbroken: link 1, of the transactions up to " in part


@pytest.mark.parametrize(
    "statement",
    ["UPDATE ledger_link SET number = number + 5", "DELETE FROM ledger_link", "TRUNCATE ledger_link"],
)
def test_links_are_never_changed(books: None, statement: str) -> None:
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        rows(statement)


@pytest.mark.django_db(transaction=True)
def test_postings_and_chaining_at_the_same_time_leave_nothing_out() -> None:
    """Writers post while two jobs append links; no posting waits for them, and every transaction is in one link."""
    writers, each = 4, 60
    done = threading.Event()

    def write() -> int:
        for number in range(each):
            with transaction.atomic():
                move(BANK, HELD, 1)
                if number % 20 == 0:
                    time.sleep(0.05)  # A transaction that stays open while others commit.
        return each

    def append() -> int:
        covered = 0
        while not done.is_set():
            covered += chain.extend(until=ledger.closed_until())
            if chain.head().transactions >= writers * each:
                done.set()
        return covered

    *posted, first, second = together([write] * writers + [append] * 2)
    assert posted == [each] * writers
    assert first + second == writers * each
    assert list(chain.verify()) == []
    covered: set[UUID] = {number for (number,) in rows("SELECT id FROM ledger_transaction")}
    assert len(covered) == chain.head().transactions
