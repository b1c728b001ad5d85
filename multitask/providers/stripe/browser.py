"""What a browser loads from Stripe, or from the sandbox at its address: the script, its frames, the hosted pages."""

from typing import Final

from multitask.providers.sources import BrowserSources

API: Final = "https://api.stripe.com"
# Ours: it runs the Payment Element on the checkout page.
PAGE_SCRIPT: Final = "providers/stripe/checkout.js"


def library(api_base: str) -> str:
    """Return the address of Stripe's script."""
    return "https://js.stripe.com/v3/" if api_base == API else f"{api_base}/v1/stripe.js"


def sources(api_base: str) -> BrowserSources:
    """Return what the content security policy has to allow."""
    if api_base != API:
        return BrowserSources(scripts=(api_base,), frames=(api_base,), connections=(api_base,), pages=(api_base,))
    scripts = ("https://js.stripe.com", "https://hooks.stripe.com")
    return BrowserSources(scripts=scripts, frames=scripts, connections=(API,), pages=("https://connect.stripe.com",))
