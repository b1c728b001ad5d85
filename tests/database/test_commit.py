"""Errors at COMMIT are classified as definite or unknown."""

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from multitask import database
from multitask.database import errors
from multitask.database.base import DatabaseWrapper
from stack import postgres
from tests.database.proxy import Proxy

Notes = Callable[[], list[str]]


def write(number: int, text: str = "written") -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO scratch_note VALUES (%s, %s)", [number, text])


def terminate_own_session() -> None:
    """Terminate the backend of this connection from another one, as an administrator or a failover would."""
    other = connection.copy()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        victim = cursor.fetchone()[0]
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [victim])
    finally:
        other.close()


def test_a_lost_answer_to_commit_is_an_unknown_outcome_though_the_row_is_there(notes: Notes, proxy: Proxy) -> None:
    calls = []

    def command() -> None:
        calls.append(1)
        write(1)
        proxy.cut = "answer"

    with pytest.raises(database.OutcomeUnknown) as raised:
        database.run(command)

    assert raised.value.code == "outcome_unknown"
    assert proxy.cuts == 1
    assert calls == [1], "an unknown outcome must not be retried"
    assert notes() == ["written"]


def test_a_commit_lost_on_its_way_is_an_unknown_outcome_though_nothing_is_there(notes: Notes, proxy: Proxy) -> None:
    calls = []

    def command() -> None:
        calls.append(1)
        write(1)
        proxy.cut = "commit"

    with pytest.raises(database.OutcomeUnknown):
        database.run(command)

    assert calls == [1]
    assert notes() == []


def test_a_session_ended_just_before_commit_is_an_unknown_outcome(notes: Notes) -> None:
    def command() -> None:
        write(1)
        terminate_own_session()

    with pytest.raises(database.OutcomeUnknown):
        database.run(command)

    assert notes() == []


def test_a_plain_atomic_block_tells_an_unknown_outcome_too(notes: Notes, proxy: Proxy) -> None:
    def block() -> None:
        with transaction.atomic():
            write(1)
            proxy.cut = "answer"

    with pytest.raises(database.OutcomeUnknown):
        block()

    assert notes() == ["written"]


def test_hooks_after_commit_do_not_run_when_the_outcome_is_unknown(notes: Notes, proxy: Proxy) -> None:
    ran = []

    def command() -> None:
        write(1)
        transaction.on_commit(lambda: ran.append(1))
        proxy.cut = "answer"

    with pytest.raises(database.OutcomeUnknown):
        database.run(command)
    database.run(lambda: write(2))

    assert ran == []
    assert notes() == ["written", "written"]


def test_a_constraint_checked_at_commit_stays_a_definite_failure(notes: Notes) -> None:
    calls = []
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE scratch_note ADD UNIQUE (text) DEFERRABLE INITIALLY DEFERRED")

    def command() -> None:
        calls.append(1)
        write(1, "same")
        write(2, "same")

    with pytest.raises(IntegrityError):
        database.run(command)

    assert calls == [1]
    assert notes() == []


def test_a_serialization_failure_at_commit_is_definite_and_retried(notes: Notes) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE scratch_tries")
        cursor.execute("""
            CREATE FUNCTION scratch_refuse_once() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF nextval('scratch_tries') = 1 THEN RAISE EXCEPTION 'try again' USING ERRCODE = '40001'; END IF;
                RETURN NULL;
            END $$""")
        cursor.execute("""
            CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON scratch_note DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION scratch_refuse_once()""")
    try:
        database.run(lambda: write(1))
        assert notes() == ["written"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION scratch_refuse_once CASCADE")
            cursor.execute("DROP SEQUENCE scratch_tries")


def test_a_swallowed_error_cannot_be_committed_in_silence(notes: Notes) -> None:
    def command() -> None:
        write(1)
        try:
            write(1)
        except IntegrityError:
            connection.needs_rollback = False

    with pytest.raises(errors.NotCommitted):
        database.run(command)

    assert notes() == []


@pytest.fixture(scope="module")
def lonely_primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    """A server that waits for a synchronous standby that does not exist."""
    server = postgres.Server(tmp_path_factory.mktemp("primary") / "postgres")
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as session:
        session.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    # Restart instead of reload: after a reload, not every process has the setting at once.
    server.stop()
    server.start()
    yield server
    server.remove()


def test_a_commit_that_gave_up_its_standby_is_an_unknown_outcome(db: None, lonely_primary: postgres.Server) -> None:
    wrapper = connect(lonely_primary)
    canceller = threading.Thread(target=cancel_the_wait, args=(lonely_primary,), daemon=True)
    with wrapper.cursor() as cursor:
        wrapper.set_autocommit(False)
        cursor.execute("SET LOCAL synchronous_commit = on")
        cursor.execute("CREATE TABLE kept (id int)")
        canceller.start()
        with pytest.raises(database.OutcomeUnknown, match="synchronous replication"):
            wrapper.commit()
        cursor.execute("SELECT count(*) FROM kept")
        assert cursor.fetchone()[0] == 0, "the table is there: the commit stands on this server"
    canceller.join(timeout=30)
    wrapper.close()


def cancel_the_wait(server: postgres.Server) -> None:
    """Cancel the wait for the standby as soon as a backend waits."""
    deadline = time.monotonic() + 30
    with psycopg.connect(server.url(), autocommit=True) as watcher:
        while time.monotonic() < deadline:
            waiting = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            if watcher.execute(waiting).fetchall():
                return
            watcher.execute("SELECT pg_sleep(0.01)")


def connect(server: postgres.Server) -> DatabaseWrapper:
    """Open a Django connection to another server than that of the test database."""
    address = server.url().removeprefix("postgresql://")
    login, place = address.split("@")
    chosen = {**connection.settings_dict, "OPTIONS": {}, "NAME": place.split("/")[1]}
    chosen["USER"], chosen["PASSWORD"] = login.split(":")
    chosen["HOST"], chosen["PORT"] = place.split("/")[0].split(":")
    return DatabaseWrapper(chosen, alias="another")
