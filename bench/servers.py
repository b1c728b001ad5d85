"""The programs that benchmarks measure, as the stack starts them: database, sandbox, web server, worker.

The database is new for each benchmark, on the server that DATABASE_URL names or on an embedded one of the
benchmarks' own, which is as durable as the one of `make run`: a commit waits for the disk.
"""

import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from stack import local, postgres
from stack.processes import Programs

SETTINGS = "bench.settings"
WEB_THREADS = 8  # what WEB_THREADS is when it is not set
MANAGE = [sys.executable, "manage.py"]


@dataclass(frozen=True, slots=True)
class Memory:
    """The current and the highest resident memory of a process, in bytes."""

    now: int
    peak: int


class Servers:
    """A migrated database and the programs started for it; all of them end with `running`."""

    def __init__(self, folder: Path, database_url: str) -> None:
        """Choose free ports; no program is started yet."""
        self.programs = Programs(folder / "logs")
        self.here = local.Local(folder, _free_port(), _free_port(), database_url, local.keys(folder))
        self._clock = folder / "clock"
        self.environment = {**self.here.environment(), "DJANGO_SETTINGS_MODULE": SETTINGS}

    def migrate(self) -> None:
        """Apply all migrations."""
        self.programs.finish("migrate", [*MANAGE, "migrate", "--noinput"], self.environment)

    def start_sandbox(self) -> None:
        """Start the offline Stripe with its state in memory and without webhook endpoints."""
        command = [sys.executable, "-m", "sandboxes.stripe", "--port", str(self.here.sandbox_port), "--memory"]
        self.programs.start("sandbox", command, self.environment)
        self.programs.await_answer("sandbox", f"{self.here.sandbox}/_sandbox/health")

    def start_web(self) -> None:
        """Start the web server with the same workers and threads as the stack."""
        self.programs.start("web", local.web_command(self.here.web_port), self.environment)
        self.programs.await_answer("web", f"{self.here.web}/readyz")

    def start_worker(self) -> None:
        """Start the worker as the stack does, with a clock that can be stepped."""
        environment = {**self.environment, "BENCH_CLOCK": str(self._clock)}
        self.programs.start("worker", [*MANAGE, "worker"], environment)

    def step_clock(self, seconds: float) -> None:
        """Set the worker's clock, by which its periodic jobs are due, ahead of the machine's."""
        self._clock.write_text(str(seconds))

    def stop(self, name: str) -> None:
        """Stop one program and wait until it has ended."""
        process = self.programs.running.pop(name)
        process.terminate()
        process.wait(30)

    def memory(self, name: str) -> dict[int, Memory]:
        """Return the memory of a program and of its child processes by process id, the program itself first."""
        root = self.programs.running[name].pid
        return {pid: _memory(pid) for pid in _family(root)}

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection to the database in autocommit mode."""
        with psycopg.connect(self.here.database_url, autocommit=True) as connection:
            yield connection


@contextmanager
def running() -> Iterator[Servers]:
    """Yield a migrated database without programs; at the end, stop all programs and drop the database."""
    with tempfile.TemporaryDirectory(prefix="multitask-bench-") as folder, _database() as url:
        servers = Servers(Path(folder), url)
        try:
            servers.migrate()
            yield servers
        finally:
            servers.programs.stop()


@contextmanager
def _database() -> Iterator[str]:
    """Yield the address of a new database, and drop it at the end."""
    with contextlib.ExitStack() as held:
        server = os.environ.get("DATABASE_URL", "")
        if not server:
            server = held.enter_context(postgres.benches().held()).url()
        name = f"bench_{secrets.token_hex(4)}"
        _execute(server, "CREATE DATABASE {}", name)
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            _execute(server, "DROP DATABASE {} WITH (FORCE)", name)


def megabytes(family: dict[int, Memory]) -> str:
    """Format the resident memory of each of the processes, in millions of bytes."""
    return " + ".join(f"{each.now / 1e6:.0f} MB" for each in family.values())


def _execute(server: str, statement: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((local.HOST, 0))
        return int(probe.getsockname()[1])


def _family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _memory(pid: int) -> Memory:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    figures = {name: value for name, _, value in (line.partition(":") for line in lines)}
    now, peak = (int(figures[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return Memory(now, peak)
