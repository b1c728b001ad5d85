"""What one local run is made of: ports, folders, secrets, and the environment of its programs."""

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
        """The sandbox's record belongs to one database: with another database it is another record."""
        named = os.environ.get("DATABASE_URL", "")
        mark = f"-{hashlib.sha256(named.encode()).hexdigest()[:8]}" if named else ""
        return self.data / f"sandbox{mark}"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def environment(self) -> dict[str, str]:
        """What the web server, the worker and `manage.py` are started with."""
        return {
            **os.environ,
            "MULTITASK_ENV": "development",
            "DATABASE_URL": self.database_url,
            "PUBLIC_URL": self.web,
            "STRIPE_API_BASE": self.sandbox,
            # Everybody has the same address here.
            "REGISTRATIONS_PER_ADDRESS": "0",
            "PYTHONUNBUFFERED": "1",
            **self.keys,
        }


def web_command(port: int) -> list[str]:
    """Return the command that starts the web server; how many threads it has, WEB_THREADS says.

    Each connection needs one of the `backpressure` places, idle and half-open ones too. The buffer bounds the
    headers of a request and what is held of a response for a slow reader.
    """
    return [
        *(sys.executable, "-m", "granian", "--interface", "asginl", "--host", HOST, "--port", str(port)),
        *("--workers", "1", "--http", "1", "--no-ws", "--backlog", "4096", "--backpressure", "16384"),
        *("--http1-buffer-size", "65536", "--http1-header-read-timeout", "20000"),
        # A reader who takes nothing must not keep a stopped server from ending.
        *("--workers-kill-timeout", "30"),
        "multitask.config.asgi:application",
    ]


def ports() -> tuple[int, int]:
    """The ports of web server and sandbox, both free now. Errors: StackError naming the port and the setting."""
    web = _free_port("WEB_PORT", 8000, "the web server")
    sandbox = _free_port("SANDBOX_PORT", 12111, "the sandbox")
    if web == sandbox:
        raise StackError(f"WEB_PORT and SANDBOX_PORT are both {web}: set one of them to another port")
    return web, sandbox


def _free_port(setting: str, default: int, program: str) -> int:
    port = postgres.port_setting(setting) or default
    if not postgres.is_free(port):
        # Neither of two neighbours may be told to become the other.
        free = next(other for other in (*range(port + 10, 65_536), *range(8_010, port)) if postgres.is_free(other))
        raise StackError(f"port {port} is taken: set {setting} to a free one for {program}, as in {setting}={free}")
    return port


def keys(data: Path) -> dict[str, str]:
    """The secrets of this project's local runs, made once and readable by their owner alone."""
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
