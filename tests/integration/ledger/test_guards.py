"""What the database itself refuses, even to raw SQL of a superuser with session_replication_role = replica."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from multitask.ledger import AccountRef, checks
from tests.integration.ledger.books import (
    BANK,
    FEES,
    fresh_key,
    move,
    post,
    rows,
    settle_constraints,
    usd,
    write_with,
)

pytestmark = pytest.mark.django_db

ESCROW = AccountRef("held:1")
APPEND_ONLY, UNBALANCED, NOT_THE_WRITER = "ML001", "ML002", "ML003"
CHECK, UNIQUE, NOT_NULL, FOREIGN_KEY, OUT_OF_RANGE = "23514", "23505", "23502", "23503", "22003"
HEADER = """
    INSERT INTO ledger_transaction
           (id, kind, scope, key, request_hash, legs, effective_at, created_at, description, details)
    VALUES ('{id}', 'raw', 'raw', '{id}', sha256('raw'), {legs}, now(), now(), '', '{{}}')
"""
ENTRIES = """
    INSERT INTO ledger_entry
           (transaction_id, position, account_id, shard, sequence,
            currency, amount_minor, balance_after_minor, created_at)
    SELECT transaction_id::uuid, position, coalesce(account.id, 0), 0, 1000 + row_number() OVER (),
           leg.currency, amount, 0, now()
      FROM (VALUES {values}) leg (transaction_id, position, code, currency, amount)
      LEFT JOIN ledger_account account ON account.code = leg.code AND account.currency = leg.currency
"""


@pytest.fixture(params=["origin", "replica"])
def role(request: pytest.FixtureRequest) -> Iterator[str]:
    """The session_replication_role; `replica` disables ordinary triggers."""
    rows(f"SET LOCAL session_replication_role = {request.param}")
    yield request.param
    rows("SET LOCAL session_replication_role = origin")


@pytest.fixture
def posted(role: str) -> uuid.UUID:
    """Post a transaction of two legs, and run its deferred checks."""
    posting = move(BANK, ESCROW, 500)
    settle_constraints()
    return posting.id


def refused(*statements: str, as_writer: bool = False) -> str:
    """Run statements in a transaction, with its deferred checks; return the SQLSTATE that stopped them."""

    def run() -> None:
        with transaction.atomic():
            if as_writer:
                rows("SET LOCAL ledger.writer = 'ledger_post'")
            for statement in statements:
                rows(statement)
            settle_constraints()

    with pytest.raises(DatabaseError) as error:
        run()
    cause = error.value.__cause__
    assert isinstance(cause, psycopg.Error)
    return cause.sqlstate or ""


def entries(*legs: tuple[object, int, str, int]) -> str:
    """Return an INSERT of legs (transaction, position, account, amount) in USD, or in the currency after a slash."""
    parts = []
    for transaction_id, position, account, amount in legs:
        code, _, currency = account.partition("/")
        parts.append(f"('{transaction_id}', {position}, '{code}', '{currency or 'USD'}', {amount}::bigint)")
    return ENTRIES.format(values=", ".join(parts))


@pytest.mark.parametrize("table", ["ledger_account", "ledger_transaction", "ledger_entry"])
@pytest.mark.parametrize("writer", [False, True])
def test_nothing_posted_is_changed_or_removed(posted: uuid.UUID, table: str, writer: bool) -> None:
    assert refused(f"UPDATE {table} SET created_at = now()", as_writer=writer) == APPEND_ONLY
    assert refused(f"DELETE FROM {table}", as_writer=writer) == APPEND_ONLY
    assert refused(f"TRUNCATE {table} CASCADE", as_writer=writer) == APPEND_ONLY


def test_no_statement_gets_around_by_merging(posted: uuid.UUID) -> None:
    merge = "MERGE INTO ledger_entry USING (SELECT 1) one ON true WHEN MATCHED THEN DELETE"
    upsert = HEADER.format(id=posted, legs=2) + " ON CONFLICT (id) DO UPDATE SET kind = 'raw'"
    assert refused(merge) == APPEND_ONLY
    assert refused(upsert, as_writer=True) == APPEND_ONLY


def test_an_account_keeps_its_currency_and_its_floor(posted: uuid.UUID) -> None:
    assert refused("UPDATE ledger_account SET currency = 'EUR' WHERE code = 'held:1'") == APPEND_ONLY
    assert refused("UPDATE ledger_account SET floor_minor = NULL WHERE code = 'held:1'") == APPEND_ONLY
    assert refused("DELETE FROM ledger_account WHERE code = 'held:1'") == APPEND_ONLY


def test_a_balance_is_moved_by_posting_alone(posted: uuid.UUID) -> None:
    assert refused("UPDATE ledger_balance SET balance_minor = 1, credits_minor = 1, debits_minor = 0") == NOT_THE_WRITER
    assert refused("DELETE FROM ledger_balance") == APPEND_ONLY
    assert refused("TRUNCATE ledger_balance") == APPEND_ONLY
    assert refused("INSERT INTO ledger_balance (account_id, shard) VALUES (1, 99)") == NOT_THE_WRITER


def test_a_balance_is_of_an_account() -> None:
    """Not tested as a replica, which does not check foreign keys."""
    insert = "INSERT INTO ledger_balance (account_id, shard) VALUES (987654321, 0)"
    assert refused(insert, as_writer=True) == FOREIGN_KEY


def test_an_account_is_opened_by_posting_alone(role: str) -> None:
    insert = "INSERT INTO ledger_account (code, currency, shards) VALUES ('raw', 'USD', 1)"
    assert refused(insert) == NOT_THE_WRITER


def test_entries_are_written_by_posting_alone(posted: uuid.UUID) -> None:
    raw = uuid.uuid4()
    legs = entries((raw, 1, "bank", -5), (raw, 2, "held:1", 5))
    assert refused(HEADER.format(id=raw, legs=2), legs) == NOT_THE_WRITER


def test_a_balance_never_falls_below_its_floor(posted: uuid.UUID) -> None:
    account = "account_id = (SELECT id FROM ledger_account WHERE code = 'held:1')"
    move_down = f"UPDATE ledger_balance SET balance_minor = -1, debits_minor = credits_minor + 1 WHERE {account}"
    assert refused(move_down, as_writer=True) == CHECK


def test_a_sharded_account_has_no_floor(role: str) -> None:
    insert = "INSERT INTO ledger_account (code, currency, shards, floor_minor) VALUES ('raw', 'USD', 2, 0)"
    assert refused(insert, as_writer=True) == CHECK


@pytest.mark.parametrize(
    ("currency", "floor", "shards"),
    [("usd", "NULL", 1), ("US", "NULL", 1), ("DOLLARS", "NULL", 1), ("USD", "1", 1), ("USD", "0", 0), ("USD", "0", -1)],
)
def test_an_account_has_a_currency_no_promise_to_be_full_and_a_row_of_its_own(
    role: str, currency: str, floor: str, shards: int
) -> None:
    terms = f"'raw', '{currency}', {floor}, {shards}"
    insert = f"INSERT INTO ledger_account (code, currency, floor_minor, shards) VALUES ({terms})"
    assert refused(insert, as_writer=True) == CHECK


def test_an_account_is_spread_over_256_rows_at_most(role: str) -> None:
    insert = "INSERT INTO ledger_account (code, currency, shards) VALUES ('raw', 'USD', 257)"
    assert refused(insert, as_writer=True) == CHECK


@pytest.mark.parametrize(
    "legs",
    [
        [(1, "bank", -5), (2, "held:1", 4)],
        [(1, "bank", -5), (2, "held:1", 5), (3, "bank", 1)],
        [(1, "bank", -5), (2, "held:1/EUR", 5)],
    ],
)
def test_legs_that_do_not_sum_to_zero_are_refused(posted: uuid.UUID, legs: list[tuple[int, str, int]]) -> None:
    move_euros()
    raw = uuid.uuid4()
    header = HEADER.format(id=raw, legs=len(legs))
    assert refused(header, entries(*((raw, *leg) for leg in legs)), as_writer=True) == UNBALANCED


def test_legs_that_sum_to_more_than_a_number_holds_are_refused(posted: uuid.UUID) -> None:
    raw = uuid.uuid4()
    legs = entries((raw, 1, "bank", 9223372036854775807), (raw, 2, "held:1", 9223372036854775807))
    assert refused(HEADER.format(id=raw, legs=2), legs, as_writer=True) == OUT_OF_RANGE


def test_legs_in_two_currencies_pass_when_each_sums_to_zero(posted: uuid.UUID) -> None:
    move_euros()
    raw = uuid.uuid4()
    legs = [(1, "bank", -5), (2, "held:1", 5), (3, "bank/EUR", -4), (4, "held:1/EUR", 4)]
    with transaction.atomic():
        rows("SET LOCAL ledger.writer = 'ledger_post'")
        rows(HEADER.format(id=raw, legs=4))
        rows(entries(*((raw, *leg) for leg in legs)))
        settle_constraints()
        transaction.set_rollback(True)


def test_two_transactions_do_not_lend_each_other_legs(posted: uuid.UUID) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    headers = [HEADER.format(id=one, legs=2), HEADER.format(id=other, legs=2)]
    crossed = entries((one, 1, "bank", -5), (one, 2, "held:1", 4), (other, 1, "bank", -4), (other, 2, "held:1", 5))
    assert refused(*headers, crossed, as_writer=True) == UNBALANCED


def test_two_whole_transactions_pass_in_one_statement(posted: uuid.UUID) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    legs = [(one, 1, "bank", -5), (one, 2, "held:1", 5), (other, 1, "bank", -4), (other, 2, "held:1", 4)]
    with transaction.atomic():
        rows("SET LOCAL ledger.writer = 'ledger_post'")
        rows(HEADER.format(id=one, legs=2))
        rows(HEADER.format(id=other, legs=2))
        rows(entries(*legs))
        settle_constraints()
        transaction.set_rollback(True)
    assert refused(entries(*legs, (other, 3, "bank", 1)), as_writer=True) == UNBALANCED
    assert refused(entries(*legs[:2], (other, 3, "bank", -4), (other, 4, "held:1", 4)), as_writer=True) == UNBALANCED


@pytest.mark.parametrize("legs", [-1, 0, 1])
def test_a_header_announces_two_legs_or_more(posted: uuid.UUID, legs: int) -> None:
    raw = uuid.uuid4()
    header = HEADER.format(id=raw, legs=legs)
    assert refused(header) == UNBALANCED
    assert refused(header, entries((raw, 1, "bank", -5), (raw, 2, "held:1", 5)), as_writer=True) == UNBALANCED


def test_a_header_is_not_committed_without_its_legs(role: str) -> None:
    assert refused(HEADER.format(id=uuid.uuid4(), legs=2)) == UNBALANCED


@pytest.mark.parametrize("announced", [2, 4])
def test_a_header_is_not_committed_with_other_legs_than_it_announced(posted: uuid.UUID, announced: int) -> None:
    raw = uuid.uuid4()
    legs = entries((raw, 1, "bank", -5), (raw, 2, "held:1", 2), (raw, 3, "user:1", 3))
    assert refused(HEADER.format(id=raw, legs=announced), legs, as_writer=True) == UNBALANCED


@pytest.mark.parametrize("positions", [[1], [2, 3], [1, 3], [0, 1], [0, 2], [-1, 0, 3]])
def test_the_legs_have_the_positions_from_one_on(posted: uuid.UUID, positions: list[int]) -> None:
    """Refused when they are inserted, whatever number of legs the header states."""
    raw = uuid.uuid4()
    amounts = {1: [1], 2: [-5, 5], 3: [-5, 2, 3]}[len(positions)]
    legs = entries(*((raw, place, "held:1", amount) for place, amount in zip(positions, amounts, strict=True)))
    header = HEADER.format(id=raw, legs=max(positions))
    assert refused(header, legs, "SELECT 1 / 0", as_writer=True) == UNBALANCED


@pytest.mark.breaks_the_books
@pytest.mark.parametrize("wrong", ["no header", "no account", "another currency"])
def test_what_only_a_writer_past_the_function_can_do_is_found(posted: uuid.UUID, wrong: str) -> None:
    raw = uuid.uuid4()
    move_euros()
    rows("SET LOCAL ledger.writer = 'ledger_post'")
    if wrong != "no header":
        rows(HEADER.format(id=raw, legs=2))
    legs = entries((raw, 1, "bank", -5), (raw, 2, "nobody" if wrong == "no account" else "held:1", 5))
    rows(legs.replace("leg.currency, amount", "'GBP', amount") if wrong == "another currency" else legs)
    settle_constraints()
    found = {violation.invariant for violation in checks.run()}
    assert ("transactions_are_whole" if wrong == "no header" else "accounts_are_whole") in found


def test_no_leg_is_added_later(posted: uuid.UUID) -> None:
    later = entries((posted, 3, "bank", -5), (posted, 4, "held:1", 5))
    again = entries((posted, 1, "bank", -5), (posted, 2, "held:1", 5))
    around = entries((posted, -1, "bank", -5), (posted, 0, "held:1", 2), (posted, 3, "held:1", 3))
    assert refused(later, as_writer=True) == UNBALANCED
    assert refused(around, as_writer=True) == UNBALANCED
    assert refused(again, as_writer=True) == UNIQUE


def test_no_leg_is_added_in_the_same_database_transaction(role: str) -> None:
    with transaction.atomic():
        posting = move(BANK, ESCROW, 500)
        assert refused(entries((posting.id, 3, "bank", -5), (posting.id, 4, "held:1", 5)), as_writer=True) == UNBALANCED


def test_an_account_gives_each_place_in_its_past_once(posted: uuid.UUID) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    posts = [
        (HEADER.format(id=raw, legs=2), entries((raw, 1, "bank", -5), (raw, 2, "held:1", 5))) for raw in (one, other)
    ]
    assert refused(*posts[0], *posts[1], as_writer=True) == UNIQUE


def test_a_leg_moves_something(posted: uuid.UUID) -> None:
    raw = uuid.uuid4()
    for amounts in ((0, 0), (-5, 5, 0), (0, -5, 5)):
        legs = entries(*((raw, place, "held:1", amount) for place, amount in enumerate(amounts, 1)))
        assert refused(HEADER.format(id=raw, legs=len(amounts)), legs, as_writer=True) == UNBALANCED


def test_copied_rows_are_held_to_the_same(posted: uuid.UUID) -> None:
    ((account,),) = rows("SELECT id FROM ledger_account WHERE code = 'bank'")
    columns = "transaction_id, position, account_id, shard, sequence, currency"
    columns += ", amount_minor, balance_after_minor, created_at"

    def copy() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ledger.writer = 'ledger_post'")
            with cursor.copy(f"COPY ledger_entry ({columns}) FROM STDIN") as stream:
                stream.write_row((uuid.uuid4(), 1, account, 0, 1001, "USD", 5, 5, "2026-01-01"))

    with pytest.raises(psycopg.Error) as error:
        copy()
    assert error.value.sqlstate == UNBALANCED


def test_another_table_under_the_name_of_the_entries_deceives_no_guard(posted: uuid.UUID) -> None:
    """A temporary table comes first in the search path, unless the function sets its own."""
    raw = uuid.uuid4()
    shadow = "CREATE TEMPORARY TABLE ledger_entry (transaction_id uuid) ON COMMIT DROP"
    filled = f"INSERT INTO pg_temp.ledger_entry VALUES ('{raw}')"
    assert refused(shadow, filled, HEADER.format(id=raw, legs=2), as_writer=True) == UNBALANCED


@pytest.mark.parametrize("posting", ["call", "call_for_many"])
def test_the_function_itself_refuses_legs_that_do_not_sum_to_zero(role: str, posting: str) -> None:
    asked = {"call": call, "call_for_many": call_for_many}[posting]
    assert refused(asked("'bank', 'held:1'", "-5, 4")) == UNBALANCED
    assert refused(asked("'bank'", "-5")) == UNBALANCED
    assert refused(asked("'bank', 'bank'", "-5, 5")) == UNBALANCED
    assert refused(asked("'bank', 'user 1'", "-5, 5")) == CHECK
    assert refused(asked("'bank', NULL", "-5, 5")) == NOT_NULL


@pytest.mark.parametrize("announced", ["3", "1", "0", "-1", "2, 1"])
def test_many_postings_have_the_legs_that_they_announce(role: str, announced: str) -> None:
    assert refused(call_for_many("'bank', 'held:1'", "-5, 5", announced)) in {UNBALANCED, NOT_NULL}


def call_for_many(codes: str, amounts: str, announced: str | None = None) -> str:
    """Return a direct call of the function for many postings, with one posting that is followed by a sound one."""
    legs = amounts.count(",") + 1
    return f"""SELECT ledger_post_many(ARRAY['raw', 'raw'], ARRAY['raw', 'raw'],
        ARRAY['{fresh_key()}', '{fresh_key()}'], ARRAY[now(), now()], ARRAY['', ''], ARRAY['{{}}', '{{}}']::jsonb[],
        ARRAY[NULL, NULL]::uuid[], ARRAY[{announced or f"{legs}, 2"}]::smallint[],
        ARRAY[{codes}, 'bank', 'held:1'], array_fill('USD'::text, ARRAY[{legs + 2}]),
        array_fill(NULL::bigint, ARRAY[{legs + 2}]), array_fill(1::smallint, ARRAY[{legs + 2}]),
        ARRAY[{amounts}, -5, 5]::bigint[])"""


def call(codes: str, amounts: str) -> str:
    """Return a direct call of the function, with accounts in USD that have one shard."""
    legs = amounts.count(",") + 1
    return f"""SELECT ledger_post('raw', 'raw', '{fresh_key()}', now(), '', '{{}}', NULL, ARRAY[{codes}],
        array_fill('USD'::text, ARRAY[{legs}]), array_fill(NULL::bigint, ARRAY[{legs}]),
        array_fill(1::smallint, ARRAY[{legs}]), ARRAY[{amounts}]::bigint[])"""


@pytest.mark.parametrize("many", [False, True])
def test_a_role_that_may_only_post_cannot_write_otherwise(role: str, many: bool) -> None:
    """The privileges that docs/decisions/0011 grants to the application are sufficient and minimal."""
    move(BANK, FEES, 5)
    settle_constraints()
    rows("CREATE ROLE ledger_test_poster")
    rows("SET LOCAL ROLE ledger_test_poster")
    assert refused(call("'bank', 'held:1'", "-5, 5")) == "42501"
    assert refused(call_for_many("'bank', 'held:1'", "-5, 5")) == "42501"
    rows("RESET ROLE")
    for grant in (
        "GRANT SELECT ON ledger_account, ledger_transaction, ledger_entry, ledger_balance, ledger_line TO",
        f"GRANT EXECUTE ON FUNCTION {'ledger_post_many' if many else 'ledger_post'} TO",
    ):
        rows(f"{grant} ledger_test_poster")
    rows("SET LOCAL ROLE ledger_test_poster")
    write_with("post_many" if many else "post")
    post({BANK: usd(-7), FEES: usd(7), AccountRef("new"): usd(3), AccountRef("bank:2", None): usd(-3)})
    raw = uuid.uuid4()
    denied = "42501"
    assert refused(HEADER.format(id=raw, legs=2), as_writer=True) == denied
    assert refused("UPDATE ledger_balance SET floor_minor = NULL", as_writer=True) == denied
    assert refused("TRUNCATE ledger_entry") == denied
    assert refused("ALTER TABLE ledger_entry DISABLE TRIGGER ALL") == denied
    rows("RESET ROLE")
    write_with("post")


def move_euros() -> None:
    """Open the same accounts in euros."""
    rows(f"""SELECT ledger_post('raw', 'raw', '{fresh_key()}', now(), '', '{{}}', NULL, ARRAY['bank', 'held:1'],
        ARRAY['EUR', 'EUR'], ARRAY[NULL, 0]::bigint[], ARRAY[1, 1]::smallint[], ARRAY[-9, 9]::bigint[])""")
    settle_constraints()
