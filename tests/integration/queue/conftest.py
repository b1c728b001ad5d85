"""The marketplace of the payments' tests, and a worker as it is started in production."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.integration.payments.conftest import sandbox, world
from tests.sandbox_process import SandboxProcess

__all__ = ["sandbox", "world"]

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 120.0


@pytest.fixture
def start_worker(database_url: str, sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Start workers on the test database; they are killed at the test's end."""
    environment = {
        **os.environ,
        "MULTITASK_ENV": "test",
        "DATABASE_URL": database_url,
        "STRIPE_API_BASE": sandbox.base_url,
        "STRIPE_SECRET_KEY": "sk_test_world",
        "MULTITASK_DATA": str(tmp_path),
        "LOG_LEVEL": "CRITICAL",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "manage.py", "worker"]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(15)


def last_tick(task: str) -> int:
    """The last tick for which a periodic job was deferred, 0 if none was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(defer_timestamp) FROM procrastinate_periodic_defers WHERE task_name = %s", [task])
        return int(cursor.fetchone()[0] or 0)


def eventually(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition; fail when it does not come about."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.05)
