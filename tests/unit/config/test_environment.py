"""A deployment that could lose money does not start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from multitask.config.databases import databases
from multitask.config.environment import SANDBOX_API, STRIPE_API, Environment

PRODUCTION = {
    "MULTITASK_ENV": "production",
    "SECRET_KEY": "a-key-of-this-deployment-alone-that-is-long-enough-to-sign-sessions",
    "DATABASE_URL": "postgresql://multitask@db.internal/multitask",
    "ALLOWED_HOSTS": '["pay.example.org"]',
    "STRIPE_SECRET_KEY": "sk_live_123",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_123",
    "STRIPE_WEBHOOK_SECRET": "whsec_platform",
    "STRIPE_CONNECT_WEBHOOK_SECRET": "whsec_connect",
}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [*PRODUCTION, "STRIPE_API_BASE", "MULTITASK_DATA"]:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_production_with_everything_starts_and_talks_to_stripe(environ: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        environ.setenv(name, value)

    assert Environment().stripe_api_base == STRIPE_API


@pytest.mark.parametrize("missing", [name for name in PRODUCTION if name != "MULTITASK_ENV"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_production_refuses_to_start_without(missing: str, value: str | None, environ: pytest.MonkeyPatch) -> None:
    for name, setting in PRODUCTION.items():
        environ.setenv(name, setting)
    if value is None:
        environ.delenv(missing)
    elif missing == "ALLOWED_HOSTS":
        environ.setenv(missing, "[]")
    else:
        environ.setenv(missing, value)

    with pytest.raises(ValidationError, match=missing):
        Environment()


@pytest.mark.parametrize("key", ["sk_live_1", "rk_live_1"])
@pytest.mark.parametrize("mode", ["development", "production"])
@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:12111", "https://api.stripe.com.evil.example", "http://api.stripe.com"]
)
def test_a_live_key_never_meets_a_sandbox(key: str, mode: str, base: str, environ: pytest.MonkeyPatch) -> None:
    for name, setting in (PRODUCTION | {"MULTITASK_ENV": mode, "STRIPE_SECRET_KEY": key}).items():
        environ.setenv(name, setting)
    environ.setenv("STRIPE_API_BASE", base)

    with pytest.raises(ValidationError, match="live key"):
        Environment()


def test_development_talks_to_the_sandbox_unless_told_otherwise(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("MULTITASK_ENV", "development")

    assert Environment().stripe_api_base == SANDBOX_API


def test_production_does_not_take_the_development_key(environ: pytest.MonkeyPatch) -> None:
    from multitask.config.environment import DEVELOPMENT_KEY

    for name, setting in (PRODUCTION | {"SECRET_KEY": DEVELOPMENT_KEY}).items():
        environ.setenv(name, setting)

    with pytest.raises(ValidationError, match="SECRET_KEY"):
        Environment()


def test_without_an_address_the_database_is_the_one_of_the_data_folder(
    environ: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "database-url").write_text("postgresql://ada:secret@127.0.0.1:5999/books\n")
    environ.setenv("MULTITASK_DATA", str(tmp_path))

    found = databases(Environment(), Path("/elsewhere"))["default"]

    assert (found["HOST"], found["PORT"], found["NAME"]) == ("127.0.0.1", "5999", "books")
