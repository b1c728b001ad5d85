"""An endpoint of the control API, and what all of them work on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sandboxes.kit.deliveries import Deliverer
from sandboxes.kit.documents import Doc
from sandboxes.kit.sandbox import Sandbox

S = TypeVar("S", bound=Sandbox)


@dataclass(frozen=True)
class Control(Generic[S]):
    """What the endpoints of the control API work on: the sandbox and its webhooks."""

    sandbox: S
    deliverer: Deliverer


@dataclass(frozen=True)
class Endpoint:
    """An endpoint below `/_sandbox/`; `function` takes the `Control`, the given JSON, and the ids of the path."""

    method: str
    path: str
    function: Callable[..., Awaitable[Doc]]


def seconds(given: dict[str, Any], name: str, default: float, *, most: float = 86_400) -> float:
    """Return a duration. Raises ValueError, which is answered with 400."""
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a number from 0 to {most:g}")
    return value
