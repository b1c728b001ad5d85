"""Stripe: the only package that imports its SDK."""

import sys

# The SDK loads an asynchronous HTTP client as well where one is installed, and the offline Stripe's server brings
# aiohttp. We call with `requests` alone; the other costs each program a tenth of its start.
_UNUSED = "aiohttp"

if "stripe" not in sys.modules and _UNUSED not in sys.modules:
    sys.modules[_UNUSED] = None  # type: ignore[assignment]
    try:
        import stripe  # noqa: F401
    finally:
        del sys.modules[_UNUSED]
