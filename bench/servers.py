"""The programs that benchmarks measure, as the stack starts them: database, sandbox, web server, worker.

The database is new for each benchmark, on the server that DATABASE_URL names or on an embedded one of the
benchmarks' own, which is as durable as the one of `make run`: a commit waits for the disk.
"""

import contextlib
import json
import os
import secrets
import sys
import tempfile
import urllib.request
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

    def __init__(self, folder: Path, database_url: str, checkout: Path | None = None) -> None:
        """Choose free ports; no program is started yet. The programs are those of `checkout`, or of this project."""
        self.programs = Programs(folder / "logs", checkout)
        ports = local.Ports(web=_free_port(), stripe=_free_port(), paymob=_free_port())
        self.here = local.Local(folder, ports, database_url, local.keys(folder))
        self._clock = folder / "clock"
        self.environment = {**self.here.environment(), "DJANGO_SETTINGS_MODULE": SETTINGS}

    def migrate(self) -> None:
        """Apply all migrations."""
        self.programs.finish("migrate", [*MANAGE, "migrate", "--noinput"], self.environment)

    def start_sandbox(self, *options: str, delivers: bool = False) -> None:
        """Start the offline Stripe with its state in memory; with `delivers` it sends webhooks to the web server."""
        command = [sys.executable, "-m", "sandboxes.stripe", "--port", str(self.here.ports.stripe), "--memory"]
        hook, keys = f"{self.here.web}/payments/webhooks/stripe/", self.here.keys
        endpoints = {
            "STRIPE_SANDBOX_WEBHOOKS": f"{hook}={keys['STRIPE_WEBHOOK_SECRET']}",
            "STRIPE_SANDBOX_CONNECT_WEBHOOKS": f"{hook}={keys['STRIPE_CONNECT_WEBHOOK_SECRET']}",
        }
        self.programs.start("sandbox", [*command, *options], self.environment | (endpoints if delivers else {}))
        self.programs.await_answer("sandbox", f"{self.here.sandbox}/_sandbox/health")

    def start_web(self) -> None:
        """Start the web server with the same workers and threads as the stack."""
        self.programs.start("web", local.web_command(self.here.ports.web), self.environment)
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
        return {pid: _memory(pid) for pid in family_of(root)}

    def ask_sandbox(self, method: str, path: str, body: Any = None) -> None:
        """Call the sandbox with a JSON body, or with the form fields that follow `?` in the path."""
        headers = {"Authorization": f"Bearer {self.here.keys['STRIPE_SECRET_KEY']}"}
        path, _, form = path.partition("?")
        data = form.encode() if body is None else json.dumps(body).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded" if body is None else "application/json"
        asked = urllib.request.Request(f"{self.here.sandbox}{path}", data or None, headers, method=method)
        urllib.request.urlopen(asked, timeout=60).close()

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection to the database in autocommit mode."""
        with psycopg.connect(self.here.database_url, autocommit=True) as connection:
            yield connection


@contextmanager
def running(checkout: Path | None = None) -> Iterator[Servers]:
    """Yield a migrated database without programs; at the end, stop all programs and drop the database."""
    with tempfile.TemporaryDirectory(prefix="multitask-bench-") as folder, _database() as url:
        servers = Servers(Path(folder), url, checkout)
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


def family_of(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family_of(int(child)))]


def _memory(pid: int) -> Memory:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    figures = {name: value for name, _, value in (line.partition(":") for line in lines)}
    now, peak = (int(figures[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return Memory(now, peak)
