"""A local run: its ports, folders, secrets, and the environment of its programs."""

import hashlib
import json
import os
import secrets
import sys
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from stack import postgres
from stack.errors import StackError

HOST = "127.0.0.1"
# Each program with a port: its setting, its default and what messages call it.
PROGRAMS = (
    ("WEB_PORT", 8000, "the web server"),
    ("SANDBOX_PORT", 12111, "the offline Stripe"),
    ("PAYMOB_SANDBOX_PORT", 12112, "the offline Paymob"),
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of the programs of one run."""

    web: int
    stripe: int
    paymob: int


@dataclass(frozen=True, slots=True)
class Local:
    """Addresses and secrets of one run; `keys` are environment variables and never printed."""

    data: Path
    ports: Ports
    database_url: str
    keys: dict[str, str]

    @property
    def web(self) -> str:
        return f"http://{HOST}:{self.ports.web}"

    @property
    def sandbox(self) -> str:
        return f"http://{HOST}:{self.ports.stripe}"

    @property
    def paymob(self) -> str:
        return f"http://{HOST}:{self.ports.paymob}"

    @property
    def sandbox_data(self) -> Path:
        """The folder of the offline Stripe's data."""
        return self._data_of("sandbox")

    @property
    def paymob_data(self) -> Path:
        """The folder of the offline Paymob's data."""
        return self._data_of("paymob-sandbox")

    def _data_of(self, sandbox: str) -> Path:
        """A sandbox's data belongs to one database, so each DATABASE_URL has a folder of its own."""
        named = os.environ.get("DATABASE_URL", "")
        mark = f"-{hashlib.sha256(named.encode()).hexdigest()[:8]}" if named else ""
        return self.data / f"{sandbox}{mark}"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def environment(self) -> dict[str, str]:
        """Return the environment of the web server, the worker and `manage.py`."""
        return {
            **os.environ,
            # The embedded server is reached without a pooler.
            **({} if os.environ.get("DATABASE_URL") else {"DATABASE_PREPARE": "true"}),
            "MULTITASK_ENV": "development",
            "DATABASE_URL": self.database_url,
            "PUBLIC_URL": self.web,
            # The stories are in USD and EGP. Without ROUTES each currency goes to the provider that can do it:
            # EGP to Paymob, all others to Stripe.
            "ROUTES": "",
            "PAYMENT_PROVIDER": "",
            "STRIPE_API_BASE": self.sandbox,
            "PAYMOB_API_BASE": self.paymob,
            "PAYMOB_PAYOUT_BASE": f"{self.paymob}/api/secure",
            "PAYMOB_PAYOUT_CLIENT_ID": "local",
            "PAYMOB_PAYOUT_USERNAME": "local",
            "PAYMOB_INTEGRATION_IDS": "[2001, 2002, 2003]",
            # The sandbox is started without this limit.
            "PAYMOB_INQUIRIES_PER_MINUTE": "0",
            # Otherwise the story would wait for three days.
            "DESTINATION_COOL_DOWN_HOURS": "0",
            # All visitors have the same IP address here.
            "REGISTRATIONS_PER_ADDRESS": "0",
            "PYTHONUNBUFFERED": "1",
            **self.keys,
        }


def web_command(port: int) -> list[str]:
    """Return the command that starts the web server; WEB_THREADS is its number of threads.

    Each connection counts towards `backpressure`, idle and half-open ones too. The buffer limits the
    headers of a request, and the part of a response that is buffered for a slow client.
    """
    return [
        *(sys.executable, "-m", "granian", "--interface", "asginl", "--host", HOST, "--port", str(port)),
        *("--workers", "1", "--http", "1", "--no-ws", "--backlog", "4096", "--backpressure", "16384"),
        *("--http1-buffer-size", "65536", "--http1-header-read-timeout", "20000"),
        # A client that does not read must not prevent the server from stopping.
        *("--workers-kill-timeout", "30"),
        "multitask.config.asgi:application",
    ]


def ports() -> Ports:
    """Return free ports of all programs. Raises StackError naming the port and the setting."""
    found = {setting: _free_port(setting, default, program) for setting, default, program in PROGRAMS}
    for one, other in combinations(found, 2):
        if found[one] == found[other]:
            raise StackError(f"{one} and {other} are both {found[one]}: set one of them to another port")
    return Ports(*found.values())


def _free_port(setting: str, default: int, program: str) -> int:
    port = postgres.port_setting(setting) or default
    if not postgres.is_free(port):
        # Do not suggest the default port of another program.
        free = next(other for other in (*range(port + 10, 65_536), *range(8_010, port)) if postgres.is_free(other))
        raise StackError(f"port {port} is taken: set {setting} to a free one for {program}, as in {setting}={free}")
    return port


def keys(data: Path) -> dict[str, str]:
    """Return the secrets of this project's local runs, which only their owner can read.

    They are created once; a file of an earlier release gets those that it lacks.
    """
    path = data / "secrets.json"
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    complete = _new_keys() | kept
    if complete != kept:
        _write(path, complete)
    return complete


def _new_keys() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(16)}",
        "STRIPE_PUBLISHABLE_KEY": f"pk_test_{secrets.token_hex(16)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        "STRIPE_CONNECT_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        "PAYMOB_SECRET_KEY": f"egy_sk_test_{secrets.token_hex(16)}",
        "PAYMOB_PUBLIC_KEY": f"egy_pk_test_{secrets.token_hex(16)}",
        "PAYMOB_HMAC_SECRET": secrets.token_hex(16),
        "PAYMOB_API_KEY": secrets.token_hex(16),
        "PAYMOB_PAYOUT_CLIENT_SECRET": secrets.token_hex(16),
        "PAYMOB_PAYOUT_PASSWORD": secrets.token_hex(16),
    }


def _write(path: Path, kept: dict[str, str]) -> None:
    """Replace the file as a whole: the keys of a half-written one would be lost."""
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(kept, file, indent=1)
    fresh.replace(path)
