"""Which transactions are retried, and which are not."""

import threading
from collections.abc import Callable

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from multitask import database
from tests.database.test_commit import terminate_own_session, write

Notes = Callable[[], list[str]]


def fail_with(state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = '{state}'; END $$")


@pytest.mark.parametrize("state", ["40P01", "40001", "55P03"])
def test_what_the_database_asks_to_retry_is_retried(notes: Notes, state: str) -> None:
    calls = []

    def command() -> str:
        calls.append(1)
        write(len(calls), f"try {len(calls)}")
        if len(calls) < 3:
            fail_with(state)
        return "done"

    assert database.run(command) == "done"
    assert notes() == ["try 3"]


def test_retries_are_bounded_and_end_with_the_error_itself(notes: Notes) -> None:
    calls = []

    def command() -> None:
        calls.append(1)
        fail_with("40P01")

    with pytest.raises(OperationalError, match="as asked"):
        database.run(command, attempts=3)

    assert len(calls) == 3


@pytest.mark.parametrize("state", ["22003", "23514", "P0001", "42501", "53100"])
def test_definite_refusals_are_not_retried(notes: Notes, state: str) -> None:
    calls = []

    def command() -> None:
        calls.append(1)
        fail_with(state)

    with pytest.raises(DatabaseError):
        database.run(command)

    assert calls == [1]


def test_errors_of_the_command_itself_roll_back_and_are_not_retried(notes: Notes) -> None:
    calls = []

    def command() -> None:
        calls.append(1)
        write(1)
        raise LookupError("not a matter of the database")

    with pytest.raises(LookupError):
        database.run(command)

    assert calls == [1]
    assert notes() == []


def test_a_session_ended_in_mid_transaction_is_replaced_and_the_work_is_done_once(notes: Notes) -> None:
    calls = []

    def command() -> None:
        calls.append(1)
        write(len(calls), "written")
        if len(calls) == 1:
            terminate_own_session()
            write(99)

    database.run(command)

    assert len(calls) == 2
    assert notes() == ["written"]


def test_a_session_ended_while_idle_heals_without_a_restart(notes: Notes) -> None:
    connection.ensure_connection()
    terminate_own_session()

    database.run(lambda: write(1))

    assert notes() == ["written"]


def test_a_pooled_session_ended_while_idle_is_replaced_when_it_is_taken(notes: Notes) -> None:
    terminate_own_session()
    connection.close()

    write(1)

    assert notes() == ["written"]


def test_two_that_deadlock_both_finish(notes: Notes) -> None:
    write(1, "0")
    write(2, "0")
    both_hold = threading.Barrier(2)
    calls: list[int] = []
    failures: list[BaseException] = []

    def worker(first: int, second: int) -> None:
        mine: list[int] = []

        def command() -> None:
            mine.append(1)
            calls.append(1)
            add(first)
            if len(mine) == 1:
                both_hold.wait(timeout=60)
            add(second)

        try:
            database.run(command)
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=worker, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert failures == []
    assert len(calls) == 3, "one of the two was chosen to fail, once"
    assert notes() == ["2", "2"]


def add(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scratch_note SET text = text::int + 1 WHERE id = %s", [number])


def test_a_lock_that_is_not_had_in_time_is_given_up(notes: Notes) -> None:
    write(1, "0")
    other = connection.copy()
    other.set_autocommit(False)
    calls = []
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM scratch_note WHERE id = 1 FOR UPDATE")

        def command() -> None:
            calls.append(1)
            add(1)

        with pytest.raises(OperationalError, match="lock timeout"):
            database.run(command, attempts=2, lock_timeout_ms=50)
    finally:
        other.rollback()
        other.close()

    assert len(calls) == 2
    assert notes() == ["0"]


def test_a_batch_gives_up_soon_and_is_not_repeated(notes: Notes) -> None:
    settings: list[str] = []

    def deadlock() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            settings.append(cursor.fetchone()[0])
        fail_with("40P01")

    with pytest.raises(OperationalError):
        database.run_together(deadlock)

    assert settings == ["500ms"]


def test_the_lock_timeout_ends_with_the_transaction(notes: Notes) -> None:
    def setting() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            return str(cursor.fetchone()[0])

    before = setting()
    inside = database.run(setting, lock_timeout_ms=1234)

    assert inside == "1234ms"
    assert setting() == before


def test_a_run_inside_a_run_joins_it(notes: Notes) -> None:
    def outer() -> None:
        database.run(lambda: write(1))
        assert database.in_transaction()
        raise LookupError

    with pytest.raises(LookupError):
        database.run(outer)

    assert notes() == []


def test_an_inner_run_leaves_the_retry_to_the_outermost(notes: Notes) -> None:
    outer_calls, inner_calls = [], []

    def inner() -> None:
        inner_calls.append(1)
        if len(inner_calls) == 1:
            fail_with("40001")
        write(1)

    def outer() -> None:
        outer_calls.append(1)
        database.run(inner)

    database.run(outer)

    assert (len(outer_calls), len(inner_calls)) == (2, 2)
    assert notes() == ["written"]


def test_a_decorated_command_is_one_transaction(notes: Notes) -> None:
    @database.transactional
    def command(number: int, *, text: str) -> bool:
        write(number, text)
        return database.in_transaction()

    assert command(1, text="decorated") is True
    assert notes() == ["decorated"]


def test_the_transaction_around_a_test_case_is_not_the_commands(db: None) -> None:
    assert connection.in_atomic_block
    assert not database.in_transaction()
    assert database.run(database.in_transaction)


def test_a_plain_transaction_is_joined(notes: Notes) -> None:
    assert not database.in_transaction()
    with transaction.atomic():
        assert database.in_transaction()


def test_a_transaction_begins_with_its_settings_in_one_round_trip(notes: Notes) -> None:
    with CaptureQueriesContext(connection) as captured:
        database.run(lambda: write(1))

    sent = [query["sql"].split()[0] for query in captured.captured_queries]
    assert sent == ["BEGIN", "INSERT", "COMMIT"]


def test_nothing_of_the_session_depends_on_one_server_process(notes: Notes) -> None:
    connection.ensure_connection()

    assert connection.connection.prepare_threshold is None
    assert connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] is True
