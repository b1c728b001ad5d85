"""The control API under `/_sandbox/`: what a test may do that nobody can do at Stripe."""

from collections.abc import Callable
from typing import Any

# Method, path, and what answers it.
Endpoint = tuple[str, str, Callable[..., Any]]


def seconds(given: dict[str, Any], name: str, default: float, *, most: float = 86_400) -> float:
    """Return a duration. Raises ValueError, which is answered with 400."""
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a number from 0 to {most:g}")
    return value
