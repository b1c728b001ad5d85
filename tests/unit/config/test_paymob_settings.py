"""The settings of Paymob: the sandbox outside production, and what production refuses."""

import json

import pytest
from pydantic import ValidationError

from multitask.config.environment import Environment
from multitask.config.sources import provider_sources
from multitask.providers.paymob import configuration
from tests.unit.config.test_environment import PRODUCTION

PAYMOB = {
    "PAYMOB_SECRET_KEY": "egy_sk_live_1",
    "PAYMOB_PUBLIC_KEY": "egy_pk_live_1",
    "PAYMOB_HMAC_SECRET": "signs",
    "PAYMOB_INTEGRATION_IDS": "[11, 12]",
    "PAYMOB_API_KEY": "reads",
    "PAYMOB_PAYOUT_CLIENT_ID": "client",
    "PAYMOB_PAYOUT_CLIENT_SECRET": "client secret",
    "PAYMOB_PAYOUT_USERNAME": "user",
    "PAYMOB_PAYOUT_PASSWORD": "password",
}
ROUTE = json.dumps({"EGP": {"provider": "paymob", "kind": "platform"}})


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [*PRODUCTION, *PAYMOB, "ROUTES", "STRIPE_API_BASE", "PAYMOB_API_BASE", "PAYMOB_PAYOUT_BASE"]:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def use(environ: pytest.MonkeyPatch, *settings: dict[str, str]) -> None:
    for each in settings:
        for name, value in each.items():
            environ.setenv(name, value)


def test_outside_production_the_sandbox_is_used(environ: pytest.MonkeyPatch) -> None:
    env = Environment()

    assert env.paymob_api_base == "http://127.0.0.1:12112"
    assert env.paymob_payout_base == "http://127.0.0.1:12112/api/secure"
    assert configuration.mode(env.paymob_secret_key.get_secret_value()) == "test"
    assert env.paymob_integration_ids == [2001, 2002, 2003]
    assert "http://127.0.0.1:12112" in provider_sources(env).pages


def test_a_developer_who_names_paymob_talks_to_paymob(environ: pytest.MonkeyPatch) -> None:
    use(environ, {"PAYMOB_SECRET_KEY": "egy_sk_test_1", "PAYMOB_API_BASE": f"{configuration.API}/"})
    env = Environment()

    assert env.paymob_api_base == configuration.API
    assert env.paymob_secret_key.get_secret_value() == "egy_sk_test_1"


def test_a_live_key_never_meets_the_sandbox(environ: pytest.MonkeyPatch) -> None:
    use(environ, {"PAYMOB_SECRET_KEY": "egy_sk_live_1", "PAYMOB_PUBLIC_KEY": "egy_pk_live_1"})
    with pytest.raises(ValidationError, match="PAYMOB_API_BASE is not"):
        Environment()


def test_production_without_paymob_starts_and_has_no_keys(environ: pytest.MonkeyPatch) -> None:
    use(environ, PRODUCTION)
    env = Environment()

    assert env.paymob_secret_key.get_secret_value() == ""
    assert env.paymob_integration_ids == []
    assert configuration.API not in provider_sources(env).pages


def test_production_with_a_route_and_all_settings_starts(environ: pytest.MonkeyPatch) -> None:
    use(environ, PRODUCTION, PAYMOB, {"ROUTES": ROUTE})
    env = Environment()

    assert (env.paymob_api_base, env.paymob_payout_base) == (configuration.API, configuration.PAYOUTS)
    assert configuration.API in provider_sources(env).pages


@pytest.mark.parametrize("missing", PAYMOB)
@pytest.mark.parametrize("named_by", [{"ROUTES": ROUTE}, {"PAYMENT_PROVIDER": "paymob"}])
def test_production_with_a_route_does_not_start_without(
    missing: str, named_by: dict[str, str], environ: pytest.MonkeyPatch
) -> None:
    use(environ, PRODUCTION, PAYMOB, named_by)
    environ.setenv(missing, "[]" if missing == "PAYMOB_INTEGRATION_IDS" else " ")

    with pytest.raises(ValidationError, match=missing):
        Environment()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"PAYMOB_PUBLIC_KEY": "egy_pk_test_1"}, "two modes"),
        ({"PAYMOB_SECRET_KEY": "egy_sk_test_1"}, "two modes"),
        ({"PAYMOB_API_BASE": "http://127.0.0.1:12112"}, "PAYMOB_API_BASE is not"),
        ({"PAYMOB_PAYOUT_BASE": configuration.PAYOUTS_STAGING}, "PAYMOB_PAYOUT_BASE is not"),
    ],
)
def test_live_keys_beside_anything_that_is_not_live_are_refused(
    changes: dict[str, str], words: str, environ: pytest.MonkeyPatch
) -> None:
    use(environ, PRODUCTION, PAYMOB, changes)

    with pytest.raises(ValidationError, match=words) as refusal:
        Environment()
    assert "egy_sk" not in str(refusal.value)


@pytest.mark.parametrize("name", ["PAYMOB_API_BASE", "PAYMOB_PAYOUT_BASE"])
def test_production_sends_its_keys_to_no_other_host(name: str, environ: pytest.MonkeyPatch) -> None:
    test_keys = {"PAYMOB_SECRET_KEY": "egy_sk_test_1", "PAYMOB_PUBLIC_KEY": "egy_pk_test_1"}
    use(environ, PRODUCTION, PAYMOB, test_keys, {name: "https://paymob.example.org"})

    with pytest.raises(ValidationError, match=name):
        Environment()


def test_a_test_account_of_paymob_may_pay_out_by_its_staging(environ: pytest.MonkeyPatch) -> None:
    test_keys = {"PAYMOB_SECRET_KEY": "egy_sk_test_1", "PAYMOB_PUBLIC_KEY": "egy_pk_test_1"}
    use(environ, PRODUCTION, PAYMOB, test_keys, {"PAYMOB_PAYOUT_BASE": configuration.PAYOUTS_STAGING})

    assert Environment().paymob_payout_base == configuration.PAYOUTS_STAGING
