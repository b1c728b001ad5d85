"""A local run: its ports, folders, secrets, and the environment of its programs."""

import hashlib
import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from stack import postgres
from stack.errors import StackError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Local:
    """Addresses and secrets of one run; `keys` are environment variables and never printed."""

    data: Path
    web_port: int
    sandbox_port: int
    database_url: str
    keys: dict[str, str]

    @property
    def web(self) -> str:
        return f"http://{HOST}:{self.web_port}"

    @property
    def sandbox(self) -> str:
        return f"http://{HOST}:{self.sandbox_port}"

    @property
    def sandbox_data(self) -> Path:
        """The folder of the sandbox's data; it belongs to one database, so each DATABASE_URL has its own."""
        named = os.environ.get("DATABASE_URL", "")
        mark = f"-{hashlib.sha256(named.encode()).hexdigest()[:8]}" if named else ""
        return self.data / f"sandbox{mark}"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def environment(self) -> dict[str, str]:
        """Return the environment of the web server, the worker and `manage.py`."""
        return {
            **os.environ,
            "MULTITASK_ENV": "development",
            "DATABASE_URL": self.database_url,
            "PUBLIC_URL": self.web,
            "STRIPE_API_BASE": self.sandbox,
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


def ports() -> tuple[int, int]:
    """Return free ports for web server and sandbox. Raises StackError naming the port and the setting."""
    web = _free_port("WEB_PORT", 8000, "the web server")
    sandbox = _free_port("SANDBOX_PORT", 12111, "the sandbox")
    if web == sandbox:
        raise StackError(f"WEB_PORT and SANDBOX_PORT are both {web}: set one of them to another port")
    return web, sandbox


def _free_port(setting: str, default: int, program: str) -> int:
    port = postgres.port_setting(setting) or default
    if not postgres.is_free(port):
        # Do not suggest the default port of the other program.
        free = next(other for other in (*range(port + 10, 65_536), *range(8_010, port)) if postgres.is_free(other))
        raise StackError(f"port {port} is taken: set {setting} to a free one for {program}, as in {setting}={free}")
    return port


def keys(data: Path) -> dict[str, str]:
    """Return the secrets of this project's local runs; they are created once, and only their owner can read them."""
    path = data / "secrets.json"
    if not path.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(16)}",
            "STRIPE_PUBLISHABLE_KEY": f"pk_test_{secrets.token_hex(16)}",
            "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
            "STRIPE_CONNECT_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(made, file, indent=1)
    kept: dict[str, str] = json.loads(path.read_text())
    return kept
