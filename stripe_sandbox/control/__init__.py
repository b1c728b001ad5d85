"""The control API under `/_sandbox/`: what a test may do that nobody can do at Stripe."""

from collections.abc import Callable
from typing import Any

# Method, path, and what answers it.
Endpoint = tuple[str, str, Callable[..., Any]]
