"""Django settings, derived from `environment`; nothing here reads `os.environ`."""

import logging
from pathlib import Path
from typing import Any

import structlog
from csp.constants import NONCE

from multitask.config import environment
from multitask.config.cors import cors_settings
from multitask.config.databases import databases
from multitask.config.emails import email_settings
from multitask.config.sources import provider_sources
from multitask.web.server.settings import Settings as ServerSettings

ROOT = Path(__file__).resolve().parents[2]
ENV = environment.read()

DEBUG = False
SECRET_KEY = ENV.secret_key.get_secret_value()
SECRET_KEY_FALLBACKS = ENV.secret_key_fallbacks
ALLOWED_HOSTS = ENV.allowed_hosts or ["127.0.0.1", "localhost", "[::1]", "testserver"]
CSRF_TRUSTED_ORIGINS = ENV.csrf_trusted_origins
ROOT_URLCONF = "multitask.config.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "users.User"
APPEND_SLASH = True

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "procrastinate.contrib.django",
    "multitask.users",
    "multitask.marketplace",
    "multitask.ledger",
    "multitask.payments",
    "multitask.providers",
    "multitask.webhooks",
    "multitask.config",
    "multitask.web.api",
    "multitask.web.pages",
    "multitask.web.backoffice",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "multitask.web.api.middleware.RequestContextMiddleware",
    "multitask.web.page_middleware.PageMiddleware",
]
# Requests to the API that carry an access token skip these.
PAGE_MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "multitask.web.pages.base.middleware.ReaderMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
]
# Django looks for the middleware of sessions, users, messages, framing and CSRF in MIDDLEWARE alone.
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410", "security.W002", "security.W003"]

vars().update(cors_settings(ENV, MIDDLEWARE))

AUTHENTICATION_BACKENDS = ["multitask.users.backends.UsernameOrEmailBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = [
    "multitask.users.passwords.FrugalArgon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

DATABASES = databases(ENV, ROOT)

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "multitask.web.pages.base.context.frame",
            ],
        },
    },
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ar", "العربية")]
LOCALE_PATHS = [ROOT / "multitask/web/pages/locale"]
LOGIN_URL = "pages:sign-in"
LOGIN_REDIRECT_URL = "pages:home"
OTP_TOTP_ISSUER = "MultiTask Payments"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "/static/"
STATIC_ROOT = ROOT / "static-collected"
# Static files are compressed when they are collected, which saves two thirds of the transferred bytes.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
# Outside production, static files are served from the source folders without `collectstatic`.
WHITENOISE_USE_FINDERS = not ENV.is_production
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
# For the addresses of `body_limits.UPLOADS`: a file of at most 5 MiB, with the rest of its form. Files stay in memory,
# never on the disk.
FILE_UPLOAD_MAX_MEMORY_SIZE = 5_500_000
SESSION_ENGINE = "multitask.web.session_store"
SESSION_COOKIE_NAME = "sessionid"
WEB_SERVER = ServerSettings(
    threads=ENV.web_threads,
    wait_seconds=ENV.web_wait_seconds,
    largest_body=DATA_UPLOAD_MAX_MEMORY_SIZE,
    body_seconds=ENV.web_body_seconds,
    bodies_bytes=ENV.web_bodies_megabytes * 1_000_000,
    files_bytes=ENV.web_files_megabytes * 1_000_000,
    send_seconds=ENV.web_send_seconds,
    requests_per_minute=ENV.requests_per_caller_per_minute,
    session_cookie=SESSION_COOKIE_NAME,
)

# Security: production has what `check --deploy` asks for; elsewhere the pages are served without TLS, on loopback.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENV.is_production
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = ENV.is_production
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if ENV.is_production else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ENV.is_production
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.trusted_proxies else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "multitask.web.pages.base.error_pages.csrf_failed"
# What the providers' scripts and pages need is all that may come from elsewhere.
PROVIDER_SOURCES = provider_sources(ENV)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'", NONCE, *PROVIDER_SOURCES.scripts],
        "style-src": ["'self'", NONCE],
        "frame-src": ["'self'", *PROVIDER_SOURCES.frames],
        "connect-src": ["'self'", *PROVIDER_SOURCES.connections],
        "img-src": ["'self'", "data:"],
        "base-uri": ["'none'"],
        # A form may lead to a provider's own pages: onboarding, and payments that redirect.
        "form-action": ["'self'", *PROVIDER_SOURCES.pages],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}


# Unfold theme of the back office.
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "MultiTask back office",
    "SITE_HEADER": "MultiTask",
    "SITE_SUBHEADER": "Back office",
    "SITE_SYMBOL": "lock",
    "SITE_URL": "/",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [f"{STATIC_URL}backoffice/office.css"],
}

PUBLIC_URL = ENV.public_url
TRUSTED_PROXIES = ENV.trusted_proxies
METRICS_TOKEN = ENV.metrics_token.get_secret_value()
REGISTRATIONS_PER_ADDRESS = ENV.registrations_per_address
CARD_CALLS_PER_USER = ENV.card_calls_per_user
PAYMENT_CALLS_PER_USER = ENV.payment_calls_per_user
# Links to reset a password are valid for one hour (in seconds).
PASSWORD_RESET_TIMEOUT = 3_600
ACCESS_TOKEN_MINUTES = ENV.access_token_minutes
REFRESH_TOKEN_DAYS = ENV.refresh_token_days

EMAIL_DOMAIN = ENV.public_host
DEFAULT_FROM_EMAIL = ENV.email_from
vars().update(email_settings(ENV, ROOT))

PAYMENT_PROVIDER = ENV.payment_provider
ROUTES = {currency: route.model_dump() for currency, route in ENV.routes.items()}
STRIPE_SECRET_KEY = ENV.stripe_secret_key.get_secret_value()
STRIPE_PUBLISHABLE_KEY = ENV.stripe_publishable_key
STRIPE_WEBHOOK_SECRET = ENV.stripe_webhook_secret.get_secret_value()
STRIPE_CONNECT_WEBHOOK_SECRET = ENV.stripe_connect_webhook_secret.get_secret_value()
STRIPE_API_BASE = ENV.stripe_api_base
STRIPE_PLATFORM_COUNTRY = ENV.stripe_platform_country
# The dotted path of a function that creates the HTTP session of the SDK, for the simulation; empty for the default.
STRIPE_SESSION = ""
PAYMOB_SECRET_KEY = ENV.paymob_secret_key.get_secret_value()
PAYMOB_PUBLIC_KEY = ENV.paymob_public_key
PAYMOB_HMAC_SECRET = ENV.paymob_hmac_secret.get_secret_value()
PAYMOB_INTEGRATION_IDS = ENV.paymob_integration_ids
PAYMOB_API_KEY = ENV.paymob_api_key.get_secret_value()
PAYMOB_API_BASE = ENV.paymob_api_base
PAYMOB_PAYOUT_BASE = ENV.paymob_payout_base
PAYMOB_PAYOUT_CLIENT_ID = ENV.paymob_payout_client_id
PAYMOB_PAYOUT_CLIENT_SECRET = ENV.paymob_payout_client_secret.get_secret_value()
PAYMOB_PAYOUT_USERNAME = ENV.paymob_payout_username
PAYMOB_INQUIRIES_PER_MINUTE = ENV.paymob_inquiries_per_minute
PAYMOB_PAYOUT_PASSWORD = ENV.paymob_payout_password.get_secret_value()
# As STRIPE_SESSION.
PAYMOB_SESSION = ""

# Timeouts of calls to a provider, in seconds: shorter in requests, where a user waits, than in jobs.
PROVIDER_REQUEST_TIMEOUT = ENV.provider_request_timeout
PROVIDER_JOB_TIMEOUT = ENV.provider_job_timeout
PROVIDER_REQUESTS_AT_ONCE = ENV.provider_requests_at_once
WORKER_OPERATIONS_AT_ONCE = ENV.worker_operations_at_once

PLATFORM_FEE_PERCENTAGE = ENV.platform_fee_percentage
AUTO_RELEASE_DAYS = ENV.auto_release_days
REFUND_ANSWER_DAYS = ENV.refund_answer_days
UNFUNDED_REMINDER_DAYS = ENV.unfunded_reminder_days
UNFUNDED_LAST_REMINDER_DAYS = ENV.unfunded_last_reminder_days
UNFUNDED_CANCEL_DAYS = ENV.unfunded_cancel_days
BOOKS_FULL_PROOF_DAYS = ENV.books_full_proof_days
BOOKS_REREAD_DAYS = ENV.books_reread_days
SECOND_PERSON_ABOVE_MINOR = ENV.second_person_above_minor
PAYOUT_FEE_RESERVE_MINOR = ENV.payout_fee_reserve_minor
PAYOUT_FEE_RESERVE_BASIS_POINTS = ENV.payout_fee_reserve_basis_points
RECEIVABLE_LIMIT_MINOR = ENV.receivable_limit_minor

# How long is kept what has an end; see `web/api/retention.py`.
RETENTION_FAILED_JOB_DAYS = ENV.retention_failed_job_days
RETENTION_WEBHOOK_PAYLOAD_DAYS = ENV.retention_webhook_payload_days
RETENTION_WEBHOOK_DAYS = ENV.retention_webhook_days
RETENTION_NOTICE_DAYS = ENV.retention_notice_days

PROOF_SIGNING_KEY = ENV.proof_signing_key.get_secret_value()
PROOF_OLD_PUBLIC_KEYS = ENV.proof_old_public_keys

DESTINATION_KEYS = ENV.destination_keys.get_secret_value().split()
DESTINATION_COOL_DOWN_HOURS = ENV.destination_cool_down_hours

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "jobs"
PROCRASTINATE_IMPORT_PATHS = ["multitask.jobs"]

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer() if ENV.is_production else structlog.processors.KeyValueRenderer(),
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Remove the traceback from a record: it is useless for requests with an unknown Host header."""
    record.exc_info = None
    return True


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"without_traceback": {"()": "django.utils.log.CallbackFilter", "callback": _without_traceback}},
    "formatters": {"plain": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        "django.security.DisallowedHost": {"filters": ["without_traceback"]},
        "procrastinate": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},
    },
    "root": {"handlers": ["console"], "level": ENV.log_level},
}
