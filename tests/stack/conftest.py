"""Embedded servers for single tests, and the modes of folders."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from stack import postgres

ROOT = postgres.project_folder()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[postgres.Server]:
    """A durable server that no other test uses; it is not running yet."""
    made = postgres.Server(tmp_path / "data" / "postgres")
    yield made
    made.remove()


def ask(url: str, statement: str) -> str:
    """Return the first value of the first row of a statement."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return str(row[0]) if row else ""


def stack_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m stack` as a user would, without the settings of this machine."""
    ours = ("DATABASE_URL", "MULTITASK_DATA", "PG_PORT", "WEB_PORT", "SANDBOX_PORT", "PAYMOB_SANDBOX_PORT")
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, "-m", "stack", *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
