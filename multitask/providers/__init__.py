"""Payment providers: `get(name)` answers the one that the settings configure."""

from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from multitask.payments.provider import Provider
from multitask.providers.stripe.adapter import StripeProvider
from multitask.providers.stripe.configuration import Configuration


def get(name: str | None = None) -> Provider:
    """Answer the provider with this name, or the one that new payments use.

    Old rows name the provider that they were made with, so each keeps its own for good.
    """
    wanted = settings.PAYMENT_PROVIDER if name is None else name
    if wanted != StripeProvider.name:
        raise ImproperlyConfigured(f"there is no payment provider named {wanted!r}; known: {StripeProvider.name}")
    return _stripe(_stripe_configuration())


def default() -> Provider:
    """Answer the provider that new payments use."""
    return get()


def every() -> tuple[Provider, ...]:
    """Answer all providers that our rows may name."""
    return (get(StripeProvider.name),)


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


# One client for each configuration, since it keeps connections open; tests change the settings.
@lru_cache(maxsize=8)
def _stripe(configuration: Configuration) -> StripeProvider:
    return StripeProvider(configuration)
