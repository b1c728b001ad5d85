"""The incremental proof: what is new is proven, what is old is read again in turn, and no checkpoint says too much."""

import math
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.db import Error, connection, transaction
from django.test.utils import CaptureQueriesContext

from multitask import ledger
from multitask.ledger import AccountRef, chain, checkpoints, checks, proof
from tests.integration.ledger.books import BANK, FEES, move, post, rows, settle_constraints, usd
from tests.integration.ledger.connections import together
from tests.integration.ledger.test_chain import chained
from tests.integration.ledger.test_checks import PLANTED, WITHOUT_GUARDS, books

__all__ = ["books"]  # A fixture of these tests too.

HELD = AccountRef("held:1")
NO_GUARDS = [
    *WITHOUT_GUARDS,
    "ALTER TABLE ledger_link DISABLE TRIGGER ALL",
    "ALTER TABLE ledger_checkpoint DISABLE TRIGGER ALL",
]
OLD = "transaction_id = (SELECT id FROM ledger_transaction WHERE key = 'moved:0')"
TAMPERINGS = {
    "an old amount": f"UPDATE ledger_entry SET amount_minor = -77 WHERE {OLD} AND position = 1",
    "an old entry removed": f"DELETE FROM ledger_entry WHERE {OLD} AND position = 2",
    "an old transaction removed": f"DELETE FROM ledger_entry WHERE {OLD};"
    " DELETE FROM ledger_transaction WHERE key = 'moved:0'",
    "an entry inserted": "INSERT INTO ledger_entry SELECT transaction_id, account_id, amount_minor, 99,"
    f" balance_after_minor, created_at, 3, shard, currency FROM ledger_entry WHERE {OLD} AND position = 2",
    "a balance": "UPDATE ledger_balance SET balance_minor = balance_minor + 5, credits_minor = credits_minor + 5"
    " WHERE account_id = (SELECT id FROM ledger_account WHERE code = 'purse:0')",
    "debits and credits": "UPDATE ledger_balance SET debits_minor = debits_minor + 5, credits_minor = credits_minor + 5"
    " WHERE account_id = (SELECT id FROM ledger_account WHERE code = 'purse:0')",
    "a checkpoint": "UPDATE ledger_checkpoint SET link = link - 1",
    "a checkpoint's round": "UPDATE ledger_checkpoint SET reread = reread + 1",
    "a checkpoint's hash": "UPDATE ledger_checkpoint SET hash = sha256(hash)",
    "the head of the chain": "UPDATE ledger_link SET hash = sha256(hash)"
    " WHERE number = (SELECT max(number) FROM ledger_link)",
    "the head removed": "DELETE FROM ledger_link WHERE number = (SELECT max(number) FROM ledger_link)",
}


def links(number: int, begin: int = 0) -> None:
    """Post and chain: one link of one transaction each, on an account of its own."""
    for place in range(begin, begin + number):
        move(BANK, AccountRef(f"purse:{place}"), 100, f"moved:{place}")
        settle_constraints()
        chained()


def proven() -> int:
    """Run a proof that finds nothing; return the last link that is proven."""
    assert proof.run() == []
    return checkpoints.newest().link


def broken_by(*statements: str) -> tuple[set[str], set[str]]:
    """Return what the full and the incremental proof find after these statements, which are rolled back."""
    with transaction.atomic():
        for statement in (*NO_GUARDS, *statements):
            rows(statement)
        whole = {violation.invariant for violation in checks.run()} - {"guards_stand"}
        part = {violation.invariant for violation in proof.run()} - {"guards_stand"}
        transaction.set_rollback(True)
    return whole, part


@pytest.mark.django_db
@pytest.mark.parametrize(
    "corruption", [each for name, ways in PLANTED.items() if name != "guards_stand" for each in ways]
)
def test_whatever_is_wrong_with_new_transactions_is_found(books: None, corruption: str) -> None:
    whole, part = broken_by(corruption)
    assert whole
    assert part


@pytest.mark.django_db
def test_without_corruption_only_the_missing_guards_are_found(books: None) -> None:
    assert broken_by() == (set(), set())


@pytest.mark.django_db
@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_with_what_was_proven_is_found(tampering: str) -> None:
    """By the full proof at once, and by the incremental one as soon as it reads that part again."""
    links(12)
    assert proven() == 12
    whole, _ = broken_by(TAMPERINGS[tampering])
    assert whole
    runs = 0
    with transaction.atomic():
        for statement in (*NO_GUARDS, TAMPERINGS[tampering]):
            rows(statement)
        while not {violation.invariant for violation in proof.run()} - {"guards_stand"}:
            # What found nothing but the missing guards writes no checkpoint, so the round is moved on by hand.
            checkpoints.add(checkpoints.newest(), chain.head(), reread=checkpoints.newest().reread + proof.LEAST_LINKS)
            runs += 1
            assert runs <= math.ceil(12 / proof.LEAST_LINKS)
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_checkpoint_is_written_for_what_is_chained() -> None:
    assert proven() == 0
    links(2)
    move(BANK, HELD, 1)
    settle_constraints()
    assert proven() == 2
    newest = checkpoints.newest()
    assert (newest.link_hash, newest.transactions) == (chain.hash_of(2), 2)
    links(2, 2)
    assert proven() == 4


@pytest.mark.django_db
def test_all_links_are_read_again_in_turn() -> None:
    links(7)
    seen = set()
    for _ in range(math.ceil(7 / proof.LEAST_LINKS) + 1):
        proven()
        seen.add(checkpoints.newest().reread)
    assert len(seen) >= 3
    assert [list(checkpoints.violations())] == [[]]


@pytest.mark.django_db
def test_a_proof_that_fails_moves_no_checkpoint() -> None:
    links(2)
    proven()
    links(1, 2)
    before = checkpoints.newest()
    with transaction.atomic():
        for statement in (*NO_GUARDS, "UPDATE ledger_entry SET amount_minor = 7 WHERE amount_minor = 100"):
            rows(statement)
        assert "running_balances_add_up" in {violation.invariant for violation in proof.run()}
        assert checkpoints.newest() == before
        transaction.set_rollback(True)


@pytest.fixture
def interrupted() -> Iterator[list[int]]:
    """A check of another package that stops the proof once it was called as often as the list says."""
    calls = [0, 0]

    def check(names: frozenset[str]) -> list[str]:
        calls[0] += 1
        if calls[0] == calls[1]:
            raise KeyboardInterrupt
        return []

    checks.register("the moon is new", list, touched=check)
    yield calls
    checks._checks.pop("the moon is new")
    checks._touched.pop("the moon is new")


@pytest.mark.django_db
@pytest.mark.parametrize(("stopped_at", "proven_before"), [(1, 0), (20, 0), (22, 20)])
def test_a_proof_that_was_stopped_continues_where_it_was_proven(
    interrupted: list[int], stopped_at: int, proven_before: int
) -> None:
    links(23)
    interrupted[1] = stopped_at
    with pytest.raises(KeyboardInterrupt):
        proof.run()
    assert checkpoints.newest().link == proven_before
    assert proven() == 23


@pytest.mark.django_db
def test_a_proof_asks_as_much_of_long_books_as_of_short_ones() -> None:
    counts = []
    for begin in (0, 12):
        links(12, begin)
        proven()
        links(1, 100 + begin)
        with CaptureQueriesContext(connection) as statements:
            assert proof.run() == []
        counts.append(len(statements))
    assert counts[0] == counts[1]


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["UPDATE ledger_checkpoint SET link = 9", "DELETE FROM ledger_checkpoint"])
def test_checkpoints_are_never_changed(statement: str) -> None:
    links(1)
    proven()
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        rows(statement)


@pytest.mark.django_db(transaction=True)
def test_postings_during_a_proof_raise_no_alarm() -> None:
    """Writers post one by one and in batches while others chain and prove; every transaction is proven in the end."""
    done = threading.Event()

    def write(writer: int) -> None:
        purse = AccountRef(f"purse:{writer}", None)
        for number in range(30):
            if number % 3:
                move(purse, FEES, 1)
            else:
                one = {"kind": "m", "scope": "test", "effective_at": ledger.closed_until()}
                legs = [ledger.Leg(BANK, usd(-2)), ledger.Leg(purse, usd(2))]
                with transaction.atomic():
                    ledger.post_many(
                        [ledger.Request(key=f"{writer}:{number}:{n}", legs=legs, **one) for n in range(3)]  # type: ignore[arg-type]
                    )

    def prove() -> list[str]:
        found: list[str] = []
        while not done.is_set():
            chain.extend(until=ledger.closed_until())
            found += [str(violation) for violation in proof.run()]
        return found

    def end(writer: int) -> None:
        write(writer)
        if writer == 0:
            threading.Event().wait(0.5)
            done.set()

    answers = together([prove, prove, *(partial(end, writer) for writer in range(4))])
    assert answers == [[], [], None, None, None, None]
    assert chained() == proven_transactions()
    assert checks.run() == []


@pytest.mark.django_db
def test_of_two_proofs_at_once_the_later_goes_on_from_what_the_other_wrote() -> None:
    links(3)
    last, head = checkpoints.newest(), chain.head()
    first = checkpoints.add(last, chain.link(1), reread=0)
    second = checkpoints.add(last, head, reread=1)
    assert second == first
    checkpoints.add(second, head, reread=2)
    assert list(checkpoints.violations()) == []


def proven_transactions() -> int:
    """Prove the rest; return how many transactions the newest checkpoint covers."""
    proven()
    return checkpoints.newest().transactions


@pytest.mark.django_db
def test_a_clock_that_is_ahead_raises_no_alarm() -> None:
    post({BANK: usd(-100), HELD: usd(100)})
    rows("SET LOCAL ledger.writer = 'ledger_post';"
         " UPDATE ledger_balance SET recorded_at = recorded_at + interval '1 hour'")  # fmt: skip
    rows("SET LOCAL session_replication_role = replica")
    post({BANK: usd(-100), HELD: usd(100)})
    found = {violation.detail for violation in proof.run()}
    assert all("recorded" in detail or "moved at" in detail for detail in found)
    assert ledger.closed_until() + timedelta(minutes=50) < ledger.entries("held:1", "USD")[0].recorded_at
