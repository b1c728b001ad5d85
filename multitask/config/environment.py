"""The settings of the deployment, read once from environment variables and validated before anything starts."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from multitask.config import paymob
from multitask.providers.stripe import browser, configuration

DEVELOPMENT_KEY = "development-only-key-that-never-signs-anything-in-production"
# The Ed25519 key that signs statements outside production, in hexadecimal.
DEVELOPMENT_PROOF_KEY = "de" * 32
PROOF_KEY_FORM = r"[0-9a-f]{64}"
DESTINATION_KEY_FORM = r"[A-Za-z0-9_-]{43}="
# The Fernet key that encrypts payout destinations outside production.
DEVELOPMENT_DESTINATION_KEY = "ZGV2ZWxvcG1lbnQtb25seS1kZXN0aW5hdGlvbi1rZXk="
SANDBOX_API = "http://127.0.0.1:12111"
LOCAL_PAGES = "http://127.0.0.1:8000"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
HIGHEST_PORT = 65_535


class RouteSettings(BaseModel):
    """One currency of `ROUTES`: its provider, its kind and the bounds of a price, in major units.

    `hold_days` is for how many days the money may be held, where that differs from what the provider declares.
    """

    model_config = ConfigDict(extra="forbid")

    provider: str
    kind: Literal["connected", "platform"]
    minimum: str | None = None
    maximum: str | None = None
    hold_days: int | None = Field(default=None, ge=1, le=3_650)


class Environment(BaseSettings):
    """Every setting that a deployment may change; `docs/operations.md` lists them."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    multitask_env: Literal["development", "test", "production"] = "development"
    secret_key: SecretStr = SecretStr(DEVELOPMENT_KEY)
    secret_key_fallbacks: list[str] = []
    multitask_data: str = ""
    database_url: str = ""
    database_pool_size: int = Field(default=20, ge=1, le=500)
    database_prepare: bool = False
    allowed_hosts: list[str] = []
    csrf_trusted_origins: list[str] = []
    cors_allowed_origins: list[str] = Field(default=[], description="Front ends of other origins that call the API.")
    public_url: str = Field(default="", description="The base of links to the pages; required in production.")
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    metrics_token: SecretStr = SecretStr("")
    log_level: str = "INFO"

    web_threads: int = Field(default=8, ge=4, le=200)
    web_wait_seconds: int = Field(default=10, ge=1, le=300, description="Twice that for provider calls.")
    web_body_seconds: int = Field(default=20, ge=1, le=600)
    web_bodies_megabytes: int = Field(default=64, ge=4, le=4_096)
    web_files_megabytes: int = Field(default=1_024, ge=16, le=1_000_000, description="Files of large responses.")
    web_send_seconds: int = Field(default=30, ge=1, le=600, description="For each piece of a response.")
    requests_per_caller_per_minute: int = Field(default=120_000, ge=0, description="0 for any number.")

    email_url: str = Field(default="", description="smtp://user:password@host:587; empty writes files or discards.")
    email_from: str = "MultiTask Payments <payments@multitask.example>"

    payment_provider: str = "stripe"
    routes: dict[str, RouteSettings] = Field(
        default={},
        description="How each currency is collected, held and paid out; empty for all that the provider can.",
    )
    stripe_secret_key: SecretStr = SecretStr("")
    stripe_publishable_key: str = ""
    stripe_webhook_secret: SecretStr = SecretStr("")
    stripe_connect_webhook_secret: SecretStr = SecretStr("")
    stripe_api_base: str = Field(default="", description="Empty for Stripe in production, for the sandbox otherwise.")
    stripe_platform_country: str = "US"
    paymob_secret_key: SecretStr = SecretStr("")
    paymob_public_key: str = ""
    paymob_hmac_secret: SecretStr = SecretStr("")
    paymob_integration_ids: list[int] = Field(default=[], description="The ways to pay on the checkout page.")
    paymob_api_key: SecretStr = Field(default=SecretStr(""), description="For reading transactions.")
    paymob_api_base: str = Field(default="", description="Empty for Paymob in production, for the sandbox otherwise.")
    paymob_payout_base: str = Field(default="", description="Payouts have a contract and an address of their own.")
    paymob_payout_client_id: str = ""
    paymob_payout_client_secret: SecretStr = SecretStr("")
    paymob_payout_username: str = ""
    paymob_payout_password: SecretStr = SecretStr("")
    paymob_inquiries_per_minute: int = Field(
        default=5, ge=0, description="Of payouts, and of the budget, by all processes together; 0 for any number."
    )

    provider_request_timeout: float = Field(default=6.0, ge=0.1, le=20, description="Seconds, in web requests.")
    # Shorter than the claim of an operation: otherwise a second attempt would start while the first still waits.
    provider_job_timeout: float = Field(default=20.0, ge=0.1, le=25, description="Seconds, in jobs.")
    provider_requests_at_once: int = Field(default=4, ge=1, le=500, description="Per web process.")

    worker_operations_at_once: int | None = Field(
        default=None, ge=1, le=500, description="Calls that wait for a provider in each worker process."
    )

    platform_fee_percentage: str = "15.00"
    auto_release_days: int = Field(default=14, ge=1, le=365)
    refund_answer_days: int = Field(default=7, ge=1, le=90)
    unfunded_reminder_days: int = Field(default=3, ge=1, le=365, description="From the request to pay.")
    unfunded_last_reminder_days: int = Field(default=2, ge=1, le=365, description="Before an unpaid escrow is closed.")
    unfunded_cancel_days: int = Field(default=14, ge=2, le=366, description="From the request to pay.")
    books_full_proof_days: int = Field(default=1, ge=1, le=31, description="In between, what is new is proven hourly.")
    books_reread_days: int = Field(default=30, ge=1, le=366, description="For the hourly proof to read all once again.")
    second_person_above_minor: int = Field(default=100_000, ge=0)
    receivable_limit_minor: int = Field(
        default=50_000,
        ge=0,
        description="The most that one payee may owe after losses, in minor units; the platform bears the rest.",
    )
    retention_failed_job_days: int = Field(default=30, ge=1, le=3_650, description="Jobs that failed.")
    retention_webhook_payload_days: int = Field(
        default=30, ge=1, le=3_650, description="Bodies of events that have ended."
    )
    # Providers repeat an event for days, and staff may ask them to for weeks; by its row a repetition is known.
    retention_webhook_days: int = Field(
        default=400, ge=90, le=3_650, description="Events that are processed, ignored or dismissed."
    )
    retention_notice_days: int = Field(default=400, ge=90, le=3_650, description="Notices on the pages.")
    registrations_per_address: int = Field(default=30, ge=0, description="In fifteen minutes; 0 for any number.")
    card_calls_per_user: int = Field(
        default=20,
        ge=0,
        description="Card set-ups, saved cards, default cards, payout accounts, onboarding links; of each, in five "
        "minutes; 0 for any number.",
    )
    payment_calls_per_user: int = Field(
        default=600,
        ge=0,
        description="New payments, refunds, withdrawals; of each, in five minutes; 0 for any number.",
    )
    payout_fee_reserve_minor: int = Field(
        default=0,
        ge=0,
        description="What is kept of a payout budget for fee and tax of each payout under way, in minor units.",
    )
    payout_fee_reserve_basis_points: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="What is kept besides, in hundredths of a percent of the payout's amount.",
    )
    proof_signing_key: SecretStr = Field(
        default=SecretStr(DEVELOPMENT_PROOF_KEY), description="Ed25519 private key, 64 hexadecimal digits."
    )
    proof_old_public_keys: list[str] = Field(
        default=[], description="Public keys of earlier signing keys, whose statements stay valid."
    )
    destination_keys: SecretStr = Field(
        default=SecretStr(DEVELOPMENT_DESTINATION_KEY),
        description="Fernet keys of payout destinations and identities, with spaces between: the first encrypts, all "
        "decrypt.",
    )
    destination_cool_down_hours: int = Field(
        default=72, ge=0, le=720, description="Before a new payout destination is paid to."
    )
    access_token_minutes: int = Field(default=30, ge=1)
    refresh_token_days: int = Field(default=14, ge=1)

    @property
    def is_production(self) -> bool:
        return self.multitask_env == "production"

    def data_folder(self, root: Path) -> Path:
        """Return the folder of local data: MULTITASK_DATA, or `.data` in the project."""
        return Path(self.multitask_data).expanduser() if self.multitask_data else root / ".data"

    @property
    def public_host(self) -> str:
        """The host name of PUBLIC_URL."""
        return urlsplit(self.public_url).hostname or "localhost"

    @field_validator("platform_fee_percentage")
    @classmethod
    def refuse_an_impossible_fee(cls, value: str) -> str:
        """Refuse a fee outside 0 to 100 percent or with more than two decimals."""
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,2})?", value) or Decimal(value) > 100:
            raise ValueError("give a percentage from 0 to 100 with at most two decimals, as in 15.00")
        return value

    @field_validator("cors_allowed_origins")
    @classmethod
    def refuse_invalid_origins(cls, value: list[str]) -> list[str]:
        """Refuse origins in another form than the one that browsers send: they would never match, or match too much."""
        for origin in value:
            found = re.fullmatch(r"https?://(?:[a-z0-9.-]*[a-z0-9]|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?", origin)
            is_origin = found is not None and int(found[1] or 0) <= HIGHEST_PORT
            if not is_origin or re.fullmatch(r"http:.*:80|https:.*:443", origin):
                raise ValueError("give each origin as https://app.example.org: lower case, no path, no default port")
        return value

    @field_validator("proof_signing_key")
    @classmethod
    def refuse_malformed_signing_key(cls, value: SecretStr) -> SecretStr:
        """Refuse a signing key that is not 32 bytes in hexadecimal; the error does not repeat it."""
        key = value.get_secret_value().strip() or DEVELOPMENT_PROOF_KEY
        if not re.fullmatch(PROOF_KEY_FORM, key):
            raise ValueError("give 64 hexadecimal digits, as `openssl rand -hex 32` prints them")
        return SecretStr(key)

    @field_validator("proof_old_public_keys")
    @classmethod
    def refuse_malformed_public_keys(cls, value: list[str]) -> list[str]:
        """Refuse public keys in another form than the one in which the proof page shows them."""
        if not all(re.fullmatch(PROOF_KEY_FORM, key) for key in value):
            raise ValueError("give each public key as 64 hexadecimal digits, as the page /proof/ shows it")
        return value

    @field_validator("destination_keys")
    @classmethod
    def refuse_malformed_destination_keys(cls, value: SecretStr) -> SecretStr:
        """Refuse keys that are not 32 bytes in base64 for addresses; the error does not repeat them."""
        keys = value.get_secret_value().split() or [DEVELOPMENT_DESTINATION_KEY]
        if not all(re.fullmatch(DESTINATION_KEY_FORM, key) for key in keys):
            raise ValueError("give Fernet keys with spaces between: 32 random bytes each, in base64 with - and _")
        return SecretStr(" ".join(keys))

    @field_validator("email_url")
    @classmethod
    def refuse_invalid_mail_server(cls, value: str) -> str:
        """Refuse a URL without a server; the error does not repeat the value, which may contain a password."""
        if not value:
            return value
        parts = urlsplit(value)
        try:
            is_server = parts.scheme in {"smtp", "smtps"} and parts.hostname is not None and parts.port != 0
        except ValueError:
            is_server = False
        if not is_server or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("give smtp://user:password@host:587 or smtps://...:465, special characters as in %40")
        return value

    @model_validator(mode="after")
    def refuse_reminders_that_come_too_late(self) -> Self:
        """Refuse reminders of unpaid escrows that would come after the escrow is closed."""
        if max(self.unfunded_reminder_days, self.unfunded_last_reminder_days) >= self.unfunded_cancel_days:
            raise ValueError(
                "UNFUNDED_REMINDER_DAYS and UNFUNDED_LAST_REMINDER_DAYS have to be less than UNFUNDED_CANCEL_DAYS"
            )
        return self

    @model_validator(mode="after")
    def refuse_unsafe_settings(self) -> Self:
        """Refuse a live key with a sandbox, and, in production, empty secrets and other unsafe settings."""
        default = browser.API if self.is_production else SANDBOX_API
        self.stripe_api_base = (self.stripe_api_base or default).rstrip("/")
        host = urlsplit(self.stripe_api_base).hostname or ""
        key = self.stripe_secret_key.get_secret_value()
        if configuration.is_live(key) and self.stripe_api_base != browser.API:
            raise ValueError(f"STRIPE_SECRET_KEY is a live key but STRIPE_API_BASE is {host!r}, which is not Stripe")
        if self.stripe_api_base != browser.API and host not in LOOPBACK and self.is_production:
            raise ValueError(f"STRIPE_API_BASE is {host!r}: production talks to Stripe or to a sandbox on this machine")
        named = {route.provider for route in self.routes.values()} | {self.payment_provider}
        paymob.complete(self, is_routed="paymob" in named)
        if self.is_production:
            self._refuse_empty_secrets()
            self._refuse_mixed_live_and_test_keys()
            self._refuse_equal_webhook_secrets()
            self._refuse_unreachable_public_url()
            self._refuse_origins_without_tls()
            if not self.destination_cool_down_hours:
                raise ValueError("DESTINATION_COOL_DOWN_HOURS has to be at least 1 in production")
        self.public_url = self.public_url.strip().rstrip("/") or LOCAL_PAGES
        return self

    def _refuse_empty_secrets(self) -> None:
        needed = {
            "SECRET_KEY": "" if self._is_development_key() else self.secret_key.get_secret_value(),
            "DATABASE_URL": self.database_url,
            "ALLOWED_HOSTS": ",".join(self.allowed_hosts),
            "PUBLIC_URL": self.public_url,
            "STRIPE_SECRET_KEY": self.stripe_secret_key.get_secret_value(),
            "STRIPE_PUBLISHABLE_KEY": self.stripe_publishable_key,
            "STRIPE_WEBHOOK_SECRET": self.stripe_webhook_secret.get_secret_value(),
            "STRIPE_CONNECT_WEBHOOK_SECRET": self.stripe_connect_webhook_secret.get_secret_value(),
            "PROOF_SIGNING_KEY": self._own_proof_key(),
            "DESTINATION_KEYS": self._own_destination_keys(),
        }
        empty = [name for name, value in needed.items() if not value.strip()]
        if empty:
            raise ValueError(f"production does not start without {', '.join(empty)}")

    def _refuse_mixed_live_and_test_keys(self) -> None:
        """Refuse a live and a test key together: every payment would fail."""
        keys = (self.stripe_secret_key.get_secret_value(), self.stripe_publishable_key)
        modes = {configuration.mode(key) for key in keys}
        if modes == {"live", "test"}:
            raise ValueError("STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY are of two modes, live and test")

    def _refuse_equal_webhook_secrets(self) -> None:
        """Refuse one secret for both webhook endpoints: events could not be attributed to one of them."""
        if self.stripe_webhook_secret == self.stripe_connect_webhook_secret:
            raise ValueError(
                "STRIPE_WEBHOOK_SECRET and STRIPE_CONNECT_WEBHOOK_SECRET are equal: each endpoint has its own"
            )

    def _refuse_unreachable_public_url(self) -> None:
        """Refuse an address that people cannot reach: emails and the provider's pages link to it."""
        found = urlsplit(self.public_url.strip())
        if found.scheme != "https" or not found.hostname or found.hostname in LOOPBACK or found.query or found.fragment:
            raise ValueError("PUBLIC_URL must be the https:// address at which people reach the pages")

    def _refuse_origins_without_tls(self) -> None:
        """Refuse http:// origins: a page loaded without TLS may have been modified, and it sends access tokens."""
        if any(not origin.startswith("https://") for origin in self.cors_allowed_origins):
            raise ValueError("CORS_ALLOWED_ORIGINS may only contain https:// origins in production")

    def _is_development_key(self) -> bool:
        return self.secret_key.get_secret_value() == DEVELOPMENT_KEY

    def _own_destination_keys(self) -> str:
        """Return the keys of payout destinations, empty if that of development is among them."""
        keys = self.destination_keys.get_secret_value()
        return "" if DEVELOPMENT_DESTINATION_KEY in keys else keys

    def _own_proof_key(self) -> str:
        """Return the signing key, empty if it is the one of development, which everybody knows."""
        key = self.proof_signing_key.get_secret_value()
        return "" if key == DEVELOPMENT_PROOF_KEY else key


def read() -> Environment:
    """Read the settings of this process. Raises ImproperlyConfigured with a message of one line."""
    try:
        return Environment()
    except ValidationError as error:
        raise ImproperlyConfigured("; ".join(map(_message, error.errors(include_input=False)))) from None


def _message(problem: ErrorDetails) -> str:
    names = ", ".join(str(name).upper() for name in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{names}: {message}" if names else message
