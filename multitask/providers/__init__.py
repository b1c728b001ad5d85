"""Payment providers: `get(name)` returns the one with that name, configured by the settings."""

from datetime import timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from multitask.payments.provider import Provider
from multitask.providers import rate_limits
from multitask.providers.paymob import configuration as paymob
from multitask.providers.paymob.adapter import PaymobProvider
from multitask.providers.stripe.adapter import StripeProvider
from multitask.providers.stripe.configuration import Configuration

NAMES: Final = (StripeProvider.name, PaymobProvider.name)

# Paymob answers so many inquiries of a kind about payouts; the seconds more than a minute are for the way there.
_INQUIRY_PERIOD: Final = timedelta(seconds=63)


def get(name: str | None = None) -> Provider:
    """Return the provider with this name, or the one that is used by default.

    Each row stores the provider that it was created with. Raises ImproperlyConfigured for an unknown name.
    """
    wanted = settings.PAYMENT_PROVIDER if name is None else name
    if wanted == StripeProvider.name:
        return _stripe(_stripe_configuration())
    if wanted == PaymobProvider.name:
        return _paymob(_paymob_configuration())
    raise ImproperlyConfigured(f"there is no payment provider named {wanted!r}; known: {', '.join(NAMES)}")


def default() -> Provider:
    """Return the provider that is used where no route names one."""
    return get()


def every() -> tuple[Provider, ...]:
    """Return all providers that our rows may name: Stripe, and the others that have keys or a route.

    The one that is used by default comes first.
    """
    routed = {given["provider"] for given in (settings.ROUTES or {}).values()} | {settings.PAYMENT_PROVIDER}
    used = [name for name in NAMES if name == StripeProvider.name or name in routed or _has_keys(name)]
    return tuple(get(name) for name in sorted(used, key=lambda name: name != settings.PAYMENT_PROVIDER))


def _has_keys(name: str) -> bool:
    return bool(settings.PAYMOB_SECRET_KEY) if name == PaymobProvider.name else True


def _stripe_configuration() -> Configuration:
    return Configuration(
        secret_key=settings.STRIPE_SECRET_KEY,
        publishable_key=settings.STRIPE_PUBLISHABLE_KEY,
        webhook_secret=settings.STRIPE_WEBHOOK_SECRET,
        connect_webhook_secret=settings.STRIPE_CONNECT_WEBHOOK_SECRET,
        api_base=settings.STRIPE_API_BASE,
        platform_country=settings.STRIPE_PLATFORM_COUNTRY,
        request_timeout_seconds=settings.PROVIDER_REQUEST_TIMEOUT,
        read_timeout_seconds=settings.PROVIDER_JOB_TIMEOUT,
        requests_at_once=settings.PROVIDER_REQUESTS_AT_ONCE,
        session=settings.STRIPE_SESSION,
    )


def _inquiry_allowed(kind: str) -> timedelta | None:
    most = settings.PAYMOB_INQUIRIES_PER_MINUTE
    return rate_limits.take(f"paymob_{kind}", most=most, period=_INQUIRY_PERIOD) if most else None


def _paymob_configuration() -> paymob.Configuration:
    return paymob.Configuration(
        secret_key=settings.PAYMOB_SECRET_KEY,
        public_key=settings.PAYMOB_PUBLIC_KEY,
        hmac_secret=settings.PAYMOB_HMAC_SECRET,
        api_key=settings.PAYMOB_API_KEY,
        integration_ids=tuple(settings.PAYMOB_INTEGRATION_IDS),
        api_base=settings.PAYMOB_API_BASE,
        notification_url=f"{settings.PUBLIC_URL}/payments/webhooks/paymob/",
        redirection_url=f"{settings.PUBLIC_URL}/pay/returned/paymob/",
        payout_base=settings.PAYMOB_PAYOUT_BASE,
        payout_client_id=settings.PAYMOB_PAYOUT_CLIENT_ID,
        payout_client_secret=settings.PAYMOB_PAYOUT_CLIENT_SECRET,
        payout_username=settings.PAYMOB_PAYOUT_USERNAME,
        payout_password=settings.PAYMOB_PAYOUT_PASSWORD,
        # A day longer than an escrow may stay unpaid, so that the page is there for as long as it can be needed.
        checkout_lifetime=min(timedelta(days=settings.UNFUNDED_CANCEL_DAYS + 1), paymob.LONGEST_CHECKOUT),
        inquiry_allowed=_inquiry_allowed,
        request_timeout_seconds=settings.PROVIDER_REQUEST_TIMEOUT,
        read_timeout_seconds=settings.PROVIDER_JOB_TIMEOUT,
        requests_at_once=settings.PROVIDER_REQUESTS_AT_ONCE,
        session=settings.PAYMOB_SESSION,
    )


# One client for each configuration, since it keeps connections open; tests change the settings.
@lru_cache(maxsize=8)
def _stripe(configuration: Configuration) -> StripeProvider:
    return StripeProvider(configuration)


@lru_cache(maxsize=8)
def _paymob(configuration: paymob.Configuration) -> PaymobProvider:
    return PaymobProvider(configuration)
