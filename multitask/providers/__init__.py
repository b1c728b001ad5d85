"""Payment providers: `get(name)` returns the one with that name, configured by the settings."""

from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from multitask.payments.provider import Provider
from multitask.providers.stripe.adapter import StripeProvider
from multitask.providers.stripe.configuration import Configuration


def get(name: str | None = None) -> Provider:
    """Return the provider with this name, or the one that is used by default.

    Each row stores the provider that it was created with. Raises ImproperlyConfigured for an unknown name.
    """
    wanted = settings.PAYMENT_PROVIDER if name is None else name
    if wanted != StripeProvider.name:
        raise ImproperlyConfigured(f"there is no payment provider named {wanted!r}; known: {StripeProvider.name}")
    return _stripe(_stripe_configuration())


def default() -> Provider:
    """Return the provider that is used where no route names one."""
    return get()


def every() -> tuple[Provider, ...]:
    """Return all providers that our rows may name."""
    return (get(StripeProvider.name),)


def redacted_fields() -> frozenset[str]:
    """Return the names of fields whose values nobody may be shown, of all providers."""
    return frozenset().union(*(provider.capabilities.secret_fields for provider in every()))


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
