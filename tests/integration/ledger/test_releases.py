"""`check_ledger` does not check the ledger if the schema belongs to another release."""

import io
import subprocess
import sys

import pytest
import structlog
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from multitask import jobs
from multitask.database import schema
from tests.sandbox_process import ROOT

pytestmark = pytest.mark.django_db


def check_ledger() -> tuple[int, str, str]:
    """Run it for the books alone; return the exit status, the output, and the last line."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("check_ledger", "--without-provider", stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue() + err.getvalue(), str(error)
    return 0, out.getvalue() + err.getvalue(), ""


def a_later_release() -> None:
    """Record a migration that this code does not know, and rename a column that the invariants read."""
    MigrationRecorder(connection).record_applied("ledger", "9999_another_shape")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_balance RENAME COLUMN credits_minor TO credited_minor")


@pytest.mark.breaks_the_books
def test_a_newer_schema_is_called_newer_and_nothing_is_checked() -> None:
    a_later_release()
    status, printed, line = check_ledger()
    assert (status, printed) == (3, "")
    assert line.startswith("not checked: the schema is newer than this code, which does not know ledger.9999_another")
    assert "\n" not in line


def test_an_application_that_this_code_does_not_have_is_a_later_release_too() -> None:
    MigrationRecorder(connection).record_applied("losses", "0001_initial")
    assert check_ledger()[0] == 3
    assert schema.difference() == schema.Difference(missing=(), unknown=("losses.0001_initial",))


def test_a_schema_that_lacks_migrations_is_called_older() -> None:
    newest = max(name for app, name in MigrationLoader(None).disk_migrations if app == "ledger")
    MigrationRecorder(connection).record_unapplied("ledger", newest)
    status, printed, line = check_ledger()
    assert (status, printed) == (4, "")
    assert f"it lacks ledger.{newest}" in line


def test_the_schema_of_this_release_is_checked() -> None:
    assert schema.difference() == schema.Difference(missing=(), unknown=())
    status, printed, _line = check_ledger()
    assert status == 0
    assert "the books are sound" in printed


@pytest.mark.breaks_the_books
def test_the_hourly_job_says_that_it_did_not_check() -> None:
    a_later_release()
    with structlog.testing.capture_logs() as logs, pytest.raises(schema.SchemaNewer):
        jobs.check_books(timestamp=0)
    assert [entry["event"] for entry in logs] == ["books_not_checked"]


def test_readiness_asks_the_same_question() -> None:
    MigrationRecorder(connection).record_applied("losses", "0001_initial")
    assert Client().get("/readyz").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_process_of_older_code_ends_with_a_status_of_its_own(database_url: str) -> None:
    MigrationRecorder(connection).record_applied("ledger", "9999_another_shape")
    ended = subprocess.run(
        [sys.executable, "manage.py", "check_ledger"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "DATABASE_URL": database_url, "MULTITASK_ENV": "development"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout) == (3, "")
    [line] = ended.stderr.strip().splitlines()
    assert "the schema is newer than this code" in line
