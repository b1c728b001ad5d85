"""What a browser loads from Paymob, or from the sandbox at its address: the page on which the payer pays."""

from multitask.providers.sources import BrowserSources


def sources(api_base: str) -> BrowserSources:
    """Return what the content security policy has to allow: a form may lead to the checkout page."""
    return BrowserSources(pages=(api_base,) if api_base else ())
