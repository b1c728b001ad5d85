"""Each check finds the corruption that it is for; a superuser corrupts the data with the triggers disabled."""

import io
from dataclasses import FrozenInstanceError

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from multitask.ledger import AccountRef, checks
from tests import sound_books
from tests.integration.ledger.books import BANK, FEES, move, post, rows, settle_constraints, usd

pytestmark = pytest.mark.django_db

HELD = AccountRef("held:1")
ON_HELD = "account_id = (SELECT id FROM ledger_account WHERE code = 'held:1' AND currency = 'USD')"
LAST = "transaction_id = (SELECT id FROM ledger_transaction WHERE key = 'released')"
WITHOUT_GUARDS = [
    *(f"ALTER TABLE ledger_{table} DISABLE TRIGGER ALL" for table in ("account", "transaction", "entry", "balance")),
    "ALTER TABLE ledger_balance DROP CONSTRAINT ledger_balance_floor",
    "ALTER TABLE ledger_transaction DROP CONSTRAINT ledger_transaction_scope_key",
    "DROP INDEX ledger_transaction_reverses",
]
# Statements that break each invariant.
PLANTED = {
    "transactions_sum_to_zero": [
        f"UPDATE ledger_entry SET amount_minor = amount_minor + 1 WHERE {LAST} AND position = 2",
        f"DELETE FROM ledger_entry WHERE {LAST} AND position = 3",
        f"UPDATE ledger_entry SET sequence = 9,"
        f" account_id = (SELECT id FROM ledger_account WHERE currency = 'EUR' LIMIT 1)"
        f" WHERE {LAST} AND position = 2",
    ],
    "currencies_sum_to_zero": [
        f"UPDATE ledger_balance SET balance_minor = balance_minor + 1 WHERE {ON_HELD}",
    ],
    "transactions_are_whole": [
        f"DELETE FROM ledger_entry WHERE {LAST} AND position = 3",
        f"DELETE FROM ledger_entry WHERE {LAST}",
        "DELETE FROM ledger_transaction WHERE key = 'released'",
        "UPDATE ledger_transaction SET legs = 1 WHERE key = 'released'",
        f"UPDATE ledger_entry SET position = 9 WHERE {LAST} AND position = 3",
        f"UPDATE ledger_entry SET amount_minor = 0 WHERE {LAST}",
    ],
    "balances_are_sums_of_entries": [
        f"UPDATE ledger_balance SET credits_minor = credits_minor + 5, debits_minor = debits_minor + 5 WHERE {ON_HELD}",
        f"UPDATE ledger_balance SET balance_minor = 1 WHERE {ON_HELD}",
        f"DELETE FROM ledger_balance WHERE {ON_HELD}",
        f"UPDATE ledger_entry SET shard = 9 WHERE {ON_HELD}",
    ],
    "sequences_have_no_gaps": [
        f"UPDATE ledger_entry SET sequence = 9 WHERE {ON_HELD} AND sequence = 2",
        f"UPDATE ledger_balance SET sequence = 3 WHERE {ON_HELD}",
        f"DELETE FROM ledger_entry WHERE {ON_HELD} AND sequence = 1",
    ],
    "running_balances_add_up": [
        f"UPDATE ledger_entry SET balance_after_minor = balance_after_minor + 1 WHERE {ON_HELD} AND sequence = 1",
        f"UPDATE ledger_entry SET balance_after_minor = 1 WHERE {ON_HELD} AND sequence = 2",
    ],
    "moments_never_go_back": [
        f"UPDATE ledger_entry SET created_at = created_at - interval '1 day' WHERE {ON_HELD} AND sequence = 2",
        f"UPDATE ledger_balance SET recorded_at = recorded_at + interval '1 day' WHERE {ON_HELD}",
        f"UPDATE ledger_balance SET recorded_at = NULL WHERE {ON_HELD}",
    ],
    "floors_hold": [
        f"UPDATE ledger_entry SET balance_after_minor = -1 WHERE {ON_HELD} AND sequence = 2",
        f"UPDATE ledger_balance SET balance_minor = -1 WHERE {ON_HELD}",
        f"UPDATE ledger_balance SET floor_minor = NULL WHERE {ON_HELD}",
        "UPDATE ledger_account SET floor_minor = NULL WHERE code = 'held:1'",
    ],
    "keys_name_one_request": [
        "UPDATE ledger_transaction SET key = 'funded' WHERE key = 'released'",
        "UPDATE ledger_transaction SET kind = 'other' WHERE key = 'released'",
        "UPDATE ledger_transaction SET request_hash = sha256('') WHERE key = 'released'",
        f"UPDATE ledger_entry SET amount_minor = amount_minor - 1 WHERE {LAST} AND position IN (2, 3)",
        "UPDATE ledger_account SET code = 'held:2' WHERE code = 'held:1' AND currency = 'USD'",
    ],
    "reversed_at_most_once": [
        "UPDATE ledger_transaction SET reverses = (SELECT id FROM ledger_transaction WHERE key = 'funded')"
        " WHERE key IN ('released', 'euros')",
        "UPDATE ledger_transaction SET reverses = gen_random_uuid() WHERE key = 'released'",
    ],
    "recorded_at_one_moment": [
        f"UPDATE ledger_entry SET created_at = created_at + interval '1 second' WHERE {LAST} AND position = 3",
        f"UPDATE ledger_entry SET created_at = created_at - interval '1 day' WHERE {LAST}",
    ],
    "accounts_are_whole": [
        "DELETE FROM ledger_balance WHERE shard = (pg_backend_pid() + 1) % 32 AND sequence = 0",
        f"UPDATE ledger_entry SET shard = 1 WHERE {ON_HELD}",
        "DELETE FROM ledger_account WHERE code = 'held:1'",
        f"UPDATE ledger_entry SET currency = 'EUR' WHERE {LAST} AND position = 2",
        "ALTER TABLE ledger_entry ALTER COLUMN currency DROP NOT NULL; UPDATE ledger_entry SET currency = NULL",
    ],
    "guards_stand": [
        "ALTER TABLE ledger_entry ENABLE TRIGGER whole_and_balanced",
        "DROP TRIGGER append_only ON ledger_transaction",
        "ALTER TABLE ledger_balance ADD CONSTRAINT ledger_balance_floor CHECK (true) NOT VALID",
    ],
}


@pytest.fixture
def books() -> None:
    """Post a funded and released escrow, and a transaction in euros."""
    move(BANK, HELD, 100, "funded")
    post({HELD: usd(-100), AccountRef("payee:1"): usd(85), FEES: usd(15)}, "released")
    legs = "ARRAY['bank', 'held:1'], ARRAY['EUR', 'EUR'], ARRAY[NULL, 0]::bigint[], ARRAY[1, 1]::smallint[]"
    rows(f"SELECT ledger_post('m', 's', 'euros', now(), '', '{{}}', NULL, {legs}, ARRAY[-9, 9]::bigint[])")
    settle_constraints()


def broken_by(*statements: str) -> set[str]:
    """Return the invariants that these statements break; the statements are rolled back."""
    with transaction.atomic():
        for statement in (*WITHOUT_GUARDS, *statements):
            rows(statement)
        broken = {violation.invariant for violation in checks.run()}
        assert {violation.invariant for violation in sound_books.violations()} == broken
        transaction.set_rollback(True)
    return broken


def test_sound_books_have_no_violations(books: None) -> None:
    assert checks.run() == []
    assert sound_books.violations() == []


@pytest.mark.parametrize(
    ("invariant", "corruption"),
    [(invariant, corruption) for invariant, ways in PLANTED.items() for corruption in ways],
)
def test_planted_corruption_is_found(books: None, invariant: str, corruption: str) -> None:
    assert invariant in broken_by(corruption)


def test_without_corruption_only_the_missing_guards_are_found(books: None) -> None:
    """Disabling the triggers alone breaks no other invariant, so the other tests find the corruption itself."""
    assert broken_by() == {"guards_stand"}


def test_every_invariant_of_the_ledger_has_planted_corruption() -> None:
    ours = {name for name in checks.names() if " " not in name and name in set(PLANTED)}
    from multitask.ledger import invariants

    assert ours == set(PLANTED) == set(invariants.QUERIES)


GUARDS = [
    ("ledger_account", "append_only"),
    ("ledger_account", "one_writer"),
    ("ledger_transaction", "append_only"),
    ("ledger_transaction", "has_legs"),
    ("ledger_entry", "append_only"),
    ("ledger_entry", "whole_and_balanced"),
    ("ledger_balance", "never_removed"),
    ("ledger_balance", "one_writer"),
    ("ledger_link", "append_only"),
    ("ledger_checkpoint", "append_only"),
]


@pytest.mark.parametrize("change", ["DISABLE", "ENABLE", "ENABLE REPLICA"])
@pytest.mark.parametrize(("table", "trigger"), GUARDS)
def test_each_guard_is_missed_when_it_does_not_always_fire(books: None, table: str, trigger: str, change: str) -> None:
    with transaction.atomic():
        rows(f"ALTER TABLE {table} {change} TRIGGER {trigger}")
        (violation,) = checks.run()
        transaction.set_rollback(True)
    assert violation.invariant == "guards_stand"
    assert f"trigger {trigger} on {table}" in violation.detail


def test_there_are_no_guards_that_nobody_misses(books: None) -> None:
    triggers = rows("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgenabled = 'A' AND NOT tgisinternal")
    assert sorted(pair for pair in triggers if pair[0].startswith("ledger_")) == sorted(GUARDS)


def test_other_rooms_add_checks_once() -> None:
    def check() -> list[str]:
        return ["the moon is full", "the tide is high"]

    checks.register("the moon is new", check)
    try:
        checks.register("the moon is new", check)
        with pytest.raises(ValueError, match="registered already"):
            checks.register("the moon is new", list)
        found = [violation for violation in checks.run() if violation.invariant == "the moon is new"]
        assert [violation.detail for violation in found] == ["the moon is full", "the tide is high"]
        with pytest.raises(FrozenInstanceError):
            found[0].detail = "the moon is new"  # type: ignore[misc]
    finally:
        checks._checks.pop("the moon is new")


def test_no_more_is_said_than_can_be_read(books: None) -> None:
    for number in range(30):
        move(BANK, AccountRef(f"held:more:{number}"), 1)
    settle_constraints()
    with transaction.atomic():
        for statement in (*WITHOUT_GUARDS, "UPDATE ledger_entry SET balance_after_minor = 777"):
            rows(statement)
        found = [violation for violation in checks.run() if violation.invariant == "running_balances_add_up"]
        transaction.set_rollback(True)
    assert len(found) == 20


def check_ledger(*arguments: str) -> tuple[str, str]:
    """Run the command; return its standard output and its error message."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("check_ledger", "--without-provider", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        err.write(f"{error} (exit {error.returncode})")
    return out.getvalue(), err.getvalue()


def test_the_command_sums_up_sound_books(books: None) -> None:
    out, err = check_ledger()
    assert err == ""
    assert "USD: 4 accounts, debits 200, credits 200, balance 0 (minor units)" in out
    assert "EUR: 2 accounts, debits 9, credits 9, balance 0 (minor units)" in out
    assert f"the books are sound: {len(checks.names(with_providers=False))} invariants hold" in out


def test_the_command_says_that_the_books_are_empty() -> None:
    assert "the books are empty" in check_ledger()[0]


def test_the_command_prints_every_account_when_asked(books: None) -> None:
    assert "fees USD 0 15 15\n" in check_ledger("--accounts")[0]


def test_the_command_exits_1_and_names_what_is_broken(books: None) -> None:
    with transaction.atomic():
        for statement in (*WITHOUT_GUARDS, f"UPDATE ledger_balance SET balance_minor = -1 WHERE {ON_HELD}"):
            rows(statement)
        _, err = check_ledger()
        transaction.set_rollback(True)
    assert "the books are not sound: " in err
    assert "(exit 1)" in err
    assert "broken: floors_hold: " in err
    assert "broken: currencies_sum_to_zero: all balances in USD sum to -1" in err
