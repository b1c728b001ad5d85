"""The whole system as real processes on free ports: sandbox, web server and worker on a database of their own."""

import contextlib
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
from django.db import connections
from django.test import override_settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from stack.local import web_command
from tests import fresh_database
from tests.sandbox_process import ROOT, SandboxProcess, free_port

START_SECONDS = 120
# What the slowest recovery may take: a request's lock or a claim runs out, a sweep follows.
PATIENCE = 180.0
# Asking costs the programs under test what they need for answering, so what takes long is asked for less often.
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 0.05, 1.3, 0.4
WEBHOOK_SECRET = "whsec_of_the_platform_in_tests"
CONNECT_SECRET = "whsec_of_the_accounts_in_tests"
SECRET_KEY = "sk_test_acceptance"
PUBLISHABLE_KEY = "pk_test_acceptance"

T = TypeVar("T")


def eventually(ask: Callable[[], T], what: str, *, seconds: float = PATIENCE, pause: float = 0) -> T:
    """Ask until the answer is true, and return it; fail with `what` was waited for when the time is over.

    Each `pause` is longer than the one before, unless it is given.
    """
    deadline = time.monotonic() + seconds
    pauses = itertools.repeat(pause) if pause else _growing_pauses()
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}; last answer {answer!r}")
        time.sleep(next(pauses))
    return answer


def _growing_pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * GROWTH, LONGEST_PAUSE)


@dataclass(frozen=True)
class Answer:
    """What the web server said."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class NoAnswer(Exception):
    """The server is not there, or went away before it answered."""


class Process:
    """One of our programs in a process group of its own."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self.command, self.environment, self.log = name, command, environment, log
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it and its children at once, as a power cut would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Suspend it, so that it does not even read a response that has arrived (SIGSTOP)."""
        assert self.running is not None
        os.killpg(self.running.pid, signal.SIGSTOP)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def has_ended(self) -> bool:
        return self.running is None or self.running.poll() is not None

    def _end(self, number: int) -> None:
        process, self.running = self.running, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(15)


class System:
    """Sandbox, web server and worker, started as they are in production, but for the addresses.

    `database_url` names a migrated database. `web_database_url` leads the web server alone elsewhere,
    such as through a proxy. `web_settings` are further environment variables of the web server.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        web_database_url: str = "",
        web_settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.sandbox = SandboxProcess()
        worker = [sys.executable, "manage.py", "worker", "--concurrency", "34"]
        self._sandbox_port = free_port()
        self._asking = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self.web = self._process("web", web_command(self.port), web_database_url or database_url)
        self.web.environment.update(web_settings or {})
        self.worker = self._process("worker", worker, database_url)

    def _process(self, name: str, command: list[str], database_url: str) -> Process:
        environment = {**self.settings(), "DATABASE_URL": database_url}
        return Process(name, command, environment, self.folder / f"{name}.log")

    def settings(self) -> dict[str, str]:
        """The environment variables that point our processes at each other."""
        return {
            "MULTITASK_ENV": "test",
            "DJANGO_SETTINGS_MODULE": "multitask.config.settings",
            "DATABASE_URL": self.database_url,
            # More than the operations that the tests hold at the same time, in their lane of the worker.
            "DATABASE_POOL_SIZE": "40",
            "WEB_THREADS": "16",
            "PUBLIC_URL": self.url,
            "STRIPE_API_BASE": f"http://127.0.0.1:{self._sandbox_port}",
            "STRIPE_SECRET_KEY": SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_CONNECT_WEBHOOK_SECRET": CONNECT_SECRET,
            # Everybody comes from an address of their own, as through a proxy in front of us.
            "TRUSTED_PROXIES": "1",
            "LOG_LEVEL": "WARNING",
            # Tests hold back several answers of the provider at once, and for longer than people would wait.
            "PROVIDER_REQUEST_TIMEOUT": "20",
            "PROVIDER_REQUESTS_AT_ONCE": "8",
        }

    def addresses(self) -> tuple[str, ...]:
        """Return the servers that browsers may talk to."""
        return self.url, self.sandbox.base_url

    def __enter__(self) -> Self:
        hook = f"{self.url}/payments/webhooks/stripe/"
        self.sandbox.start(
            self._sandbox_port,
            self.folder / "sandbox",
            settle_after=0,
            payout_after=0,
            seed=1,
            webhooks={hook: WEBHOOK_SECRET},
            connect_webhooks={hook + "?connect": CONNECT_SECRET},
            arguments=("--webhook-retries=1,2,4,8,15,30",),
        )
        self.web.start()
        self.worker.start()
        try:
            self.until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for process in (self.worker, self.web):
            process.kill()
        self.sandbox.stop()
        self.forget_database()

    def until_ready(self) -> None:
        """Wait until the web server answers and the worker has registered."""
        eventually(self._answers, "the web server to answer", seconds=START_SECONDS)
        eventually(self._works, "the worker to register", seconds=START_SECONDS)

    def _answers(self) -> bool:
        if self.web.has_ended():
            raise AssertionError(f"the web server ended: {self.web.log.read_text()[-2000:]}")
        try:
            answer = self.call("GET", "/readyz")
        except NoAnswer:
            return False
        assert answer.status in {200, 503}, answer
        return answer.status == 200

    def _works(self) -> bool:
        if self.worker.has_ended():
            raise AssertionError(f"the worker ended: {self.worker.log.read_text()[-2000:]}")
        fresh = "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '15 seconds'"
        return bool(self.query(fresh)[0][0])

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        key: str = "",
        address: str = "127.0.0.1",
        seconds: float = 60,
    ) -> Answer:
        """Make one request. Raises NoAnswer."""
        headers = {"Content-Type": "application/json", "Connection": "close", "X-Forwarded-For": address}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            sent = json.dumps({} if body is None else body) if method != "GET" else None
            connection.request(method, path, sent, headers)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{method} {path}: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        is_json = "json" in (response.headers.get("Content-Type") or "")
        return Answer(response.status, dict(response.headers), json.loads(raw) if is_json else raw.decode())

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database directly, by one connection for all that a test asks, or a new one if that is lost."""
        with self._asking:
            if self._connection is None or self._is_lost(self._connection):
                self._connection = psycopg.connect(self.database_url, autocommit=True)
            done = self._connection.execute(statement.encode(), values or None)
            return done.fetchall() if done.description else []

    @staticmethod
    def _is_lost(connection: psycopg.Connection[Any]) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            connection.execute("")
        return connection.closed

    def forget_database(self) -> None:
        """Close the connection by which `query` asks."""
        with self._asking:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` on this system's database."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**os.environ, **self.settings()},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def settle_down(self) -> None:
        """Wait until nothing is left to do, neither here nor at the provider; fail with what is left."""
        deadline = time.monotonic() + PATIENCE
        while left := self.left_to_do():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {PATIENCE:.0f} s in vain for everything to come to rest: {left}")
            time.sleep(0.2)

    def left_to_do(self) -> list[str]:
        """Open operations, events, jobs that are due, and deliveries under way."""
        left = self.query(
            """
            SELECT concat_ws(' ', 'operation', id, kind, state, 'attempts', attempts, 'next', next_attempt_at)
              FROM payments_operation WHERE state IN ('pending', 'sent', 'unknown') AND hold = ''
             UNION ALL SELECT concat_ws(' ', 'event', id, state) FROM webhooks_incomingevent WHERE state = 'received'
             UNION ALL SELECT concat_ws(' ', 'job', id, task_name, status, args, 'attempts', attempts, scheduled_at)
              FROM procrastinate_jobs
             WHERE status IN ('todo', 'doing') AND queueing_lock IS DISTINCT FROM task_name
               AND queue_name IN ('operations', 'webhooks')
            """
        )
        return [row[0] for row in left] or ([] if self.sandbox.drain(5) else ["deliveries of the sandbox"])


@contextlib.contextmanager
def copied_database(template: str) -> Iterator[str]:
    """A copy of the migrated test database, under a name that no other run has; yields its address."""
    name = f"{template.removesuffix('_template')}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(fresh_database.url("postgres"), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, template))))
    try:
        yield fresh_database.url(name)
    finally:
        with psycopg.connect(fresh_database.url("postgres"), autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def in_process(system: System) -> Iterator[None]:
    """Lead this very process to the system's database and sandbox, as if it were one of the system's own."""
    ours = connections["default"]
    parts = conninfo_to_dict(system.database_url)
    theirs = connections.create_connection("default")
    options = {name: value for name, value in ours.settings_dict["OPTIONS"].items() if name != "pool"}
    theirs.settings_dict = {
        **ours.settings_dict,
        "HOST": str(parts["host"]),
        "PORT": str(parts["port"]),
        "USER": str(parts["user"]),
        "PASSWORD": str(parts.get("password", "")),
        "NAME": str(parts["dbname"]),
        "OPTIONS": options,
    }
    names = ("STRIPE_API_BASE", "STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY")
    connections["default"] = theirs
    try:
        with override_settings(**{name: system.settings()[name] for name in names}):
            yield
    finally:
        theirs.close()
        connections["default"] = ours
