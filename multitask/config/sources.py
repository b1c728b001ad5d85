"""What the content security policy allows for the providers."""

from multitask.config.environment import Environment
from multitask.providers.paymob import browser as paymob
from multitask.providers.sources import BrowserSources
from multitask.providers.stripe import browser as stripe


def provider_sources(env: Environment) -> BrowserSources:
    """Return the sources of all providers that are configured."""
    found = [stripe.sources(env.stripe_api_base)]
    if env.paymob_secret_key.get_secret_value():
        found.append(paymob.sources(env.paymob_api_base))
    return BrowserSources.joined(found)
