"""Reads of several statements that see the database at one moment."""

import threading
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, connections

from multitask import database
from tests.database.test_commit import terminate_own_session, write

Notes = Callable[[], list[str]]


def write_elsewhere(number: int) -> None:
    """Commit a note from another connection."""

    def work() -> None:
        try:
            write(number, f"note {number}")
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def count() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM scratch_note")
        return int(cursor.fetchone()[0])


def count_around_a_commit() -> tuple[int, int]:
    before = count()
    write_elsewhere(1)
    return before, count()


def test_all_statements_see_the_same_moment(notes: Notes) -> None:
    assert database.snapshot(count_around_a_commit)() == (0, 0)
    assert notes() == ["note 1"]


def test_without_it_the_second_statement_sees_more(notes: Notes) -> None:
    assert count_around_a_commit() == (0, 1)


def test_the_next_transaction_of_the_connection_is_an_ordinary_one(notes: Notes) -> None:
    database.snapshot(count)()
    database.run(lambda: write(7))
    assert database.run(count_around_a_commit) == (1, 2)


def test_nothing_is_written(notes: Notes) -> None:
    with pytest.raises(DatabaseError, match="read-only"):
        database.snapshot(write)(1)
    assert notes() == []


def test_a_command_may_write_down_what_it_sees_at_one_moment(notes: Notes) -> None:
    def command() -> tuple[int, int]:
        seen = count_around_a_commit()
        write(2, "seen")
        return seen

    assert database.run_on_snapshot(command) == (0, 0)
    assert sorted(notes()) == ["note 1", "seen"]
    assert database.run(lambda: database.run_on_snapshot(count)) == 2


def test_inside_a_transaction_it_sees_what_that_one_sees(notes: Notes) -> None:
    def command() -> int:
        write(1)
        return database.snapshot(count)()

    assert database.run(command) == 1
    assert database.snapshot(database.snapshot(count))() == 1


def test_a_read_whose_session_was_ended_runs_again(notes: Notes) -> None:
    calls: list[int] = []

    @database.snapshot
    def read() -> int:
        calls.append(1)
        if len(calls) == 1:
            terminate_own_session()
        return count()

    assert read() == 0
    assert len(calls) == 2


def test_a_session_that_ends_before_commit_takes_nothing_from_what_was_read(notes: Notes) -> None:
    calls: list[int] = []

    @database.snapshot
    def read() -> int:
        calls.append(count())
        terminate_own_session()
        return 42

    assert read() == 42
    assert calls == [0]
    assert notes() == []


def test_an_error_of_the_read_itself_is_not_retried(notes: Notes) -> None:
    calls: list[int] = []

    @database.snapshot
    def read() -> None:
        calls.append(1)
        raise LookupError("not there")

    with pytest.raises(LookupError):
        read()
    assert calls == [1]
