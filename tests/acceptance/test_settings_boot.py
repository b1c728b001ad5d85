"""Programs refuse to start with unsafe settings, with a message of one line."""

import os
import subprocess
import sys

import pytest

from stack.local import web_command
from tests.sandbox_process import ROOT, free_port

PRODUCTION = {
    "MULTITASK_ENV": "production",
    "SECRET_KEY": "a-key-that-is-long-enough-for-everybody-0123456789-abcdefghij",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "ALLOWED_HOSTS": '["pay.example.com"]',
    "PUBLIC_URL": "https://pay.example.org",
    "STRIPE_SECRET_KEY": "sk_live_canary_never_shown",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1",
    "STRIPE_CONNECT_WEBHOOK_SECRET": "whsec_2",
    "PROOF_SIGNING_KEY": "7b" * 32,
    "DESTINATION_KEYS": f"{'7b' * 21}c=",
    "STRIPE_API_BASE": "https://api.stripe.com",
}
SECRETS = [name for name in PRODUCTION if name not in {"MULTITASK_ENV", "STRIPE_API_BASE"}]
SANDBOX = "http://127.0.0.1:12111"
CHECK = [sys.executable, "manage.py", "check"]
WEB = web_command(free_port())
WORKER = [sys.executable, "manage.py", "worker"]


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Start a program with these variables beside those that every program needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def assert_refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert reason in said
    assert "canary" not in said


def test_production_starts_with_everything_set() -> None:
    done = run(CHECK, **PRODUCTION)

    assert done.returncode == 0, done.stderr


def test_a_deployment_without_a_mail_server_is_warned() -> None:
    deploy = [*CHECK, "--deploy", "--fail-level", "WARNING"]
    warned, content = run(deploy, **PRODUCTION), run(deploy, **PRODUCTION, EMAIL_URL="smtp://127.0.0.1:1")

    assert (warned.returncode, content.returncode) == (1, 0), content.stderr
    assert "No email is sent: EMAIL_URL is empty." in warned.stderr


@pytest.mark.parametrize("missing", SECRETS)
def test_production_refuses_an_empty_secret(missing: str) -> None:
    assert_refused(run(CHECK, **{**PRODUCTION, missing: ""}), f"production does not start without {missing}")


@pytest.mark.parametrize("command", [WEB, WORKER], ids=["web", "worker"])
def test_no_program_starts_without_a_secret(command: list[str]) -> None:
    done = run(command, **{**PRODUCTION, "STRIPE_WEBHOOK_SECRET": ""})

    assert_refused(done, "production does not start without STRIPE_WEBHOOK_SECRET")


@pytest.mark.parametrize("command", [CHECK, WEB, WORKER], ids=["check", "web", "worker"])
@pytest.mark.parametrize("mode", ["production", "development"])
def test_a_live_key_never_meets_a_sandbox(command: list[str], mode: str) -> None:
    done = run(command, **{**PRODUCTION, "MULTITASK_ENV": mode, "STRIPE_API_BASE": SANDBOX})

    assert_refused(done, "STRIPE_SECRET_KEY is a live key but STRIPE_API_BASE is '127.0.0.1', which is not Stripe")


@pytest.mark.parametrize("command", [CHECK, WEB, WORKER], ids=["check", "web", "worker"])
@pytest.mark.parametrize(
    ("routes", "reason"),
    [
        ('{"USD": {"provider": "paypal", "kind": "connected"}}', "there is no payment provider named 'paypal'"),
        ('{"JPY": {"provider": "stripe", "kind": "connected"}}', "cannot collect, hold and pay out this currency"),
        ('{"USD": {"provider": "stripe", "kind": "connected", "minimum": "0.01"}}', "is below the provider's"),
        ('{"USD": {"provider": "stripe", "kind": "wire"}}', "ROUTES"),
    ],
)
def test_no_program_starts_with_routes_that_cannot_work(command: list[str], routes: str, reason: str) -> None:
    assert_refused(run(command, **PRODUCTION, ROUTES=routes), reason)
