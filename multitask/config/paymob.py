"""The settings of Paymob: defaults for its sandbox, and which combinations are refused."""

from collections.abc import Iterator
from typing import Final, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from multitask.providers.paymob import configuration

SANDBOX_API: Final = "http://127.0.0.1:12112"
# Outside production the sandbox is used, which takes any test keys; these move no money anywhere.
_SANDBOX_SECRETS: Final = {
    "paymob_secret_key": "egy_sk_test_sandbox",
    "paymob_hmac_secret": "sandbox_hmac",
    "paymob_api_key": "sandbox_api_key",
    "paymob_payout_client_secret": "sandbox_client_secret",
    "paymob_payout_password": "sandbox_password",
}
_SANDBOX_NAMES: Final = {
    "paymob_public_key": "egy_pk_test_sandbox",
    "paymob_payout_client_id": "sandbox_client",
    "paymob_payout_username": "sandbox_user",
}
# By card, by wallet and at a kiosk.
_SANDBOX_INTEGRATIONS: Final = [2001, 2002, 2003]
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(Protocol):
    """The settings that concern Paymob; see `environment.Environment`."""

    paymob_secret_key: SecretStr
    paymob_public_key: str
    paymob_hmac_secret: SecretStr
    paymob_integration_ids: list[int]
    paymob_api_key: SecretStr
    paymob_api_base: str
    paymob_payout_base: str
    paymob_payout_client_id: str
    paymob_payout_client_secret: SecretStr
    paymob_payout_username: str
    paymob_payout_password: SecretStr

    @property
    def is_production(self) -> bool: ...


def complete(env: Settings, *, is_routed: bool) -> None:
    """Set what is not given, and refuse what cannot work. Raises ValueError."""
    if not env.is_production:
        _use_sandbox(env)
    env.paymob_api_base = (env.paymob_api_base or configuration.API).rstrip("/")
    env.paymob_payout_base = (env.paymob_payout_base or configuration.PAYOUTS).rstrip("/")
    _refuse_mixed_modes(env)
    if env.is_production:
        _refuse_foreign_addresses(env)
        empty = list(_empty(env))
        if is_routed and empty:
            raise ValueError(f"production does not start without {', '.join(empty)}, since a route names paymob")


def _use_sandbox(env: Settings) -> None:
    for name, value in _SANDBOX_SECRETS.items():
        setattr(env, name, getattr(env, name) if getattr(env, name).get_secret_value() else SecretStr(value))
    for name, value in _SANDBOX_NAMES.items():
        setattr(env, name, getattr(env, name) or value)
    env.paymob_integration_ids = env.paymob_integration_ids or _SANDBOX_INTEGRATIONS
    env.paymob_api_base = env.paymob_api_base or SANDBOX_API
    env.paymob_payout_base = env.paymob_payout_base or f"{env.paymob_api_base.rstrip('/')}/api/secure"


def _refuse_mixed_modes(env: Settings) -> None:
    """Refuse live keys with test keys or at another address: money would move on one side alone."""
    secret = env.paymob_secret_key.get_secret_value()
    modes = {configuration.mode(secret), configuration.mode(env.paymob_public_key)}
    if modes == {"live", "test"}:
        raise ValueError("PAYMOB_SECRET_KEY and PAYMOB_PUBLIC_KEY are of two modes, live and test")
    if not configuration.is_live(secret):
        return
    if env.paymob_api_base != configuration.API:
        raise ValueError(f"PAYMOB_SECRET_KEY is a live key but PAYMOB_API_BASE is not {configuration.API}")
    if env.paymob_payout_base != configuration.PAYOUTS:
        raise ValueError(f"PAYMOB_SECRET_KEY is a live key but PAYMOB_PAYOUT_BASE is not {configuration.PAYOUTS}")


def _refuse_foreign_addresses(env: Settings) -> None:
    """Refuse addresses to which keys must not be sent."""
    known = {
        "PAYMOB_API_BASE": (env.paymob_api_base, {configuration.API}),
        "PAYMOB_PAYOUT_BASE": (env.paymob_payout_base, {configuration.PAYOUTS, configuration.PAYOUTS_STAGING}),
    }
    for name, (given, allowed) in known.items():
        host = urlsplit(given).hostname or ""
        if given not in allowed and host not in _LOOPBACK:
            raise ValueError(f"{name} is {host!r}: production talks to Paymob or to a sandbox on this machine")


def _empty(env: Settings) -> Iterator[str]:
    """Yield the names of the settings that a route through Paymob needs and that are empty."""
    for name in (*_SANDBOX_SECRETS, *_SANDBOX_NAMES):
        value = getattr(env, name)
        if not (value.get_secret_value() if isinstance(value, SecretStr) else value).strip():
            yield name.upper()
    if not env.paymob_integration_ids:
        yield "PAYMOB_INTEGRATION_IDS"
