"""A deployment with unsafe settings does not start."""

import json
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError

from multitask.config import environment
from multitask.config.databases import databases
from multitask.config.emails import email_settings
from multitask.config.environment import SANDBOX_API, Environment
from multitask.payments.terms import basis_points
from multitask.providers.stripe import browser

PRODUCTION = {
    "MULTITASK_ENV": "production",
    "SECRET_KEY": "a-key-of-this-deployment-alone-that-is-long-enough-to-sign-sessions",
    "DATABASE_URL": "postgresql://multitask@db.internal/multitask",
    "ALLOWED_HOSTS": '["pay.example.org"]',
    "PUBLIC_URL": "https://pay.example.org",
    "STRIPE_SECRET_KEY": "sk_live_123",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_123",
    "STRIPE_WEBHOOK_SECRET": "whsec_platform",
    "STRIPE_CONNECT_WEBHOOK_SECRET": "whsec_connect",
    "PROOF_SIGNING_KEY": "5a" * 32,
    "DESTINATION_KEYS": f"{'5a' * 21}4=",
}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    others = ["STRIPE_API_BASE", "MULTITASK_DATA", "PLATFORM_FEE_PERCENTAGE", "DESTINATION_COOL_DOWN_HOURS"]
    for name in [*PRODUCTION, *others]:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_production_with_everything_starts_and_talks_to_stripe(environ: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        environ.setenv(name, value)

    assert Environment().stripe_api_base == browser.API


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


@pytest.mark.parametrize(
    "address",
    ["http://pay.example.org", "pay.example.org", "https://", "https://127.0.0.1:8000", "https://a.example?b"],
)
def test_production_refuses_an_address_that_links_cannot_lead_back_to(
    address: str, environ: pytest.MonkeyPatch
) -> None:
    for name, value in {**PRODUCTION, "PUBLIC_URL": address}.items():
        environ.setenv(name, value)

    with pytest.raises(ValidationError, match="PUBLIC_URL must be the https:// address"):
        Environment()


def test_links_lead_to_this_machine_where_nothing_else_is_said(environ: pytest.MonkeyPatch) -> None:
    assert Environment().public_url == "http://127.0.0.1:8000"


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


@pytest.mark.parametrize("fee", ["101", "100.01", "15.001", "NaN", "-1", "1e1", "Infinity", "15,00", "fifteen", "１５"])
def test_a_fee_that_no_payment_could_take_keeps_everything_from_starting(fee: str, environ: pytest.MonkeyPatch) -> None:
    environ.setenv("PLATFORM_FEE_PERCENTAGE", fee)

    with pytest.raises(ImproperlyConfigured) as refusal:
        environment.read()

    wanted = "give a percentage from 0 to 100 with at most two decimals, as in 15.00"
    assert str(refusal.value) == f"PLATFORM_FEE_PERCENTAGE: {wanted}"


@pytest.mark.parametrize(("fee", "points"), [("0", 0), ("15.00", 1500), ("2.5", 250), ("0.01", 1), ("100.00", 10_000)])
def test_every_fee_that_starts_is_one_that_payments_take(fee: str, points: int, environ: pytest.MonkeyPatch) -> None:
    environ.setenv("PLATFORM_FEE_PERCENTAGE", fee)

    assert basis_points(environment.read().platform_fee_percentage) == points


@pytest.mark.parametrize(
    ("secret", "publishable"), [("sk_live_1", "pk_test_1"), ("rk_live_1", "pk_test_1"), ("sk_test_1", "pk_live_1")]
)
def test_production_refuses_keys_of_two_modes(secret: str, publishable: str, environ: pytest.MonkeyPatch) -> None:
    mixed = PRODUCTION | {"STRIPE_SECRET_KEY": secret, "STRIPE_PUBLISHABLE_KEY": publishable}
    for name, setting in mixed.items():
        environ.setenv(name, setting)

    with pytest.raises(ImproperlyConfigured, match="STRIPE_PUBLISHABLE_KEY are of two modes, live and test"):
        environment.read()


def test_production_refuses_one_secret_for_both_endpoints(environ: pytest.MonkeyPatch) -> None:
    for name, setting in (PRODUCTION | {"STRIPE_CONNECT_WEBHOOK_SECRET": "whsec_platform"}).items():
        environ.setenv(name, setting)

    with pytest.raises(ImproperlyConfigured, match="are equal: each endpoint has its own") as refusal:
        environment.read()
    assert "whsec" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (
            "smtp://ada%40example.org:p%23ss@mail.example.org",
            ("mail.example.org", 587, "ada@example.org", "p#ss", False),
        ),
        ("smtps://mail.example.org", ("mail.example.org", 465, "", "", True)),
        ("smtps://u:p@mail.example.org:2465/", ("mail.example.org", 2465, "u", "p", True)),
    ],
)
def test_emails_leave_by_the_server_that_is_named(
    address: str, expected: tuple[str, int, str, str, bool], environ: pytest.MonkeyPatch
) -> None:
    environ.setenv("EMAIL_URL", address)

    found = email_settings(Environment(), Path("/nowhere"))

    named = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD", "EMAIL_USE_SSL")
    assert tuple(found[name] for name in named) == expected
    assert found["EMAIL_USE_TLS"] is not found["EMAIL_USE_SSL"]


@pytest.mark.parametrize(
    "address",
    [
        "mail.example.org",
        "http://mail.example.org",
        "smtp://",
        "smtp://u:can#ary@mail.org",
        "smtp://u:can/ary@mail.org",
    ],
)
def test_an_address_of_no_mail_server_is_refused_without_repeating_it(
    address: str, environ: pytest.MonkeyPatch
) -> None:
    environ.setenv("EMAIL_URL", address)

    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL") as refused:
        environment.read()
    assert "can" not in str(refused.value).replace("EMAIL_URL", "")


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "app.example.org",
        "https://",
        "https://app.example.org/",
        "https://app.example.org/path",
        "https://App.example.org",
        "https://me@app.example.org",
        "https://app.example.org:443",
        "https://*.example.org",
        "ftp://app.example.org",
        "https://app.example.org?a",
        "http://localhost:0",
        "https://app.example.org:65536",
        "https://app.example.org:99999",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="give each origin as"):
        Environment(cors_allowed_origins=[origin])


def test_production_lets_no_front_end_in_that_came_without_tls(environ: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        environ.setenv(name, value)
    environ.setenv("CORS_ALLOWED_ORIGINS", '["https://app.example.org", "https://app.example.org:8443"]')
    assert len(Environment().cors_allowed_origins) == 2
    environ.setenv("CORS_ALLOWED_ORIGINS", '["http://app.example.org"]')
    with pytest.raises(ValidationError, match="CORS_ALLOWED_ORIGINS"):
        Environment()


def test_a_developer_may_name_a_front_end_on_this_machine() -> None:
    assert Environment(cors_allowed_origins=["http://localhost:5173", "http://[::1]:5173"]).cors_allowed_origins
    assert Environment(cors_allowed_origins=["http://localhost:65535"]).cors_allowed_origins


@pytest.mark.parametrize("name", ["UNFUNDED_REMINDER_DAYS", "UNFUNDED_LAST_REMINDER_DAYS"])
def test_a_reminder_comes_before_the_escrow_is_closed(name: str, environ: pytest.MonkeyPatch) -> None:
    environ.setenv("UNFUNDED_CANCEL_DAYS", "10")
    environ.setenv(name, "9")
    assert Environment().unfunded_cancel_days == 10
    environ.setenv(name, "10")
    with pytest.raises(ValidationError, match="UNFUNDED_CANCEL_DAYS"):
        Environment()


@pytest.mark.parametrize("days", [0, -1, 3_651])
def test_an_impossible_time_of_holding_money_is_refused(days: int, environ: pytest.MonkeyPatch) -> None:
    route = {"provider": "stripe", "kind": "connected", "hold_days": days}
    environ.setenv("ROUTES", json.dumps({"USD": route}))
    with pytest.raises(ValidationError, match="hold_days"):
        Environment()
    environ.setenv("ROUTES", json.dumps({"USD": route | {"hold_days": 90}}))
    assert Environment().routes["USD"].hold_days == 90


@pytest.mark.parametrize("key", ["too short", "g" * 64, "A" * 64, "0" * 63])
def test_a_malformed_proof_key_is_refused_and_not_repeated(key: str, environ: pytest.MonkeyPatch) -> None:
    environ.setenv("PROOF_SIGNING_KEY", key)
    with pytest.raises(ImproperlyConfigured, match="PROOF_SIGNING_KEY: give 64 hexadecimal digits") as refused:
        environment.read()
    assert key not in str(refused.value)


def test_production_does_not_sign_with_the_key_of_development(environ: pytest.MonkeyPatch) -> None:
    for name, setting in (PRODUCTION | {"PROOF_SIGNING_KEY": environment.DEVELOPMENT_PROOF_KEY}).items():
        environ.setenv(name, setting)
    with pytest.raises(ValidationError, match="production does not start without PROOF_SIGNING_KEY"):
        Environment()


@pytest.mark.parametrize("keys", ["too short", f"{'A' * 43}= {'A' * 42}", "[]", f"{'+' * 43}="])
def test_malformed_destination_keys_are_refused_and_not_repeated(keys: str, environ: pytest.MonkeyPatch) -> None:
    environ.setenv("DESTINATION_KEYS", keys)
    with pytest.raises(ImproperlyConfigured, match="DESTINATION_KEYS: give Fernet keys") as refused:
        environment.read()
    assert keys not in str(refused.value)


def test_several_destination_keys_are_read_in_their_order(environ: pytest.MonkeyPatch) -> None:
    newest, oldest = f"{'B' * 43}=", f"{'A' * 43}="
    environ.setenv("DESTINATION_KEYS", f"{newest}  {oldest}\n")
    assert environment.read().destination_keys.get_secret_value().split() == [newest, oldest]


def test_production_encrypts_no_destination_with_the_key_of_development(environ: pytest.MonkeyPatch) -> None:
    key = environment.DEVELOPMENT_DESTINATION_KEY
    for name, setting in (PRODUCTION | {"DESTINATION_KEYS": f"{'A' * 43}= {key}"}).items():
        environ.setenv(name, setting)
    with pytest.raises(ValidationError, match="production does not start without DESTINATION_KEYS"):
        Environment()


def test_production_has_a_cool_down(environ: pytest.MonkeyPatch) -> None:
    for name, setting in (PRODUCTION | {"DESTINATION_COOL_DOWN_HOURS": "0"}).items():
        environ.setenv(name, setting)
    with pytest.raises(ValidationError, match="DESTINATION_COOL_DOWN_HOURS"):
        Environment()


def test_old_public_keys_have_the_form_in_which_they_are_published(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("PROOF_OLD_PUBLIC_KEYS", '["c0ffee"]')
    with pytest.raises(ImproperlyConfigured, match="PROOF_OLD_PUBLIC_KEYS: give each public key"):
        environment.read()
    environ.setenv("PROOF_OLD_PUBLIC_KEYS", f'["{"ab" * 32}"]')
    assert environment.read().proof_old_public_keys == ["ab" * 32]
