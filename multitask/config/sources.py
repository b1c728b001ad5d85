"""What the content security policy allows for the providers."""

from multitask.config.environment import Environment
from multitask.providers.sources import BrowserSources
from multitask.providers.stripe import browser


def provider_sources(env: Environment) -> BrowserSources:
    """Return the sources of all providers that are configured."""
    return BrowserSources.joined([browser.sources(env.stripe_api_base)])
