"""The checks of `make check`: each is a separate process, and all of them run even if one fails."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping

from stack import postgres

PACKAGES = ("multitask", "stack", "sandboxes", "bench")
LINT_IMPORTS = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
# Values that production accepts; none of them is a real credential.
PRODUCTION = {
    "MULTITASK_ENV": "production",
    "SECRET_KEY": "only-for-the-deployment-check-0123456789-abcdefghijklmnopqrstuvwxyz",
    "DATABASE_URL": "postgresql://check@127.0.0.1:1/check",
    "ALLOWED_HOSTS": '["payments.example"]',
    "PUBLIC_URL": "https://payments.example",
    "EMAIL_URL": "smtp://127.0.0.1:1",
    "STRIPE_SECRET_KEY": "sk_test_check",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_check",
    "STRIPE_WEBHOOK_SECRET": "whsec_check",
    "STRIPE_CONNECT_WEBHOOK_SECRET": "whsec_check_connect",
    "PROOF_SIGNING_KEY": "c4" * 32,
    "DESTINATION_KEYS": f"{'c4' * 21}c=",
}
CHECKS: dict[str, tuple[list[str], Mapping[str, str]]] = {
    "ruff check": (["-m", "ruff", "check", "--output-format", "concise", "."], {}),
    "ruff format": (["-m", "ruff", "format", "--check", "--quiet", "."], {}),
    "mypy": (["-m", "mypy", *PACKAGES], {}),
    "import contracts": (["-c", LINT_IMPORTS, "--no-cache"], {}),
    "deployment": (["manage.py", "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION),
    "migrations": (["manage.py", "makemigrations", "--check", "--dry-run"], {}),
}


def run() -> int:
    """Run every check; print a line for each, and its output if it fails; return 1 if any failed."""
    with postgres.tests().held() as server:
        failed = [name for name in CHECKS if not _passes(name, server.url())]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _passes(name: str, database_url: str) -> bool:
    arguments, environment = CHECKS[name]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=postgres.project_folder(),
        env={**os.environ, "DATABASE_URL": database_url, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    passed = done.returncode == 0
    print(f"{'ok' if passed else 'FAILED':7}{name} ({time.monotonic() - began:.1f} s)", flush=True)
    if not passed:
        print(done.stdout.rstrip(), flush=True)
    return passed
