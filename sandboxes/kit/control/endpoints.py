"""An endpoint of the control API, and what all of them work on."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sandboxes.kit.deliveries import Deliverer
from sandboxes.kit.documents import Doc
from sandboxes.kit.sandbox import Sandbox

S = TypeVar("S", bound=Sandbox)


@dataclass(frozen=True)
class Control(Generic[S]):
    """What the endpoints of the control API work on: the sandbox, its webhooks and its snapshots."""

    sandbox: S
    deliverer: Deliverer
    snapshots: dict[str, sqlite3.Connection] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


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
