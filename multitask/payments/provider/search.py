"""The results of a search for an object by our reference: found, absent, or the provider cannot tell."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

Object = TypeVar("Object")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Found(Generic[Object]):
    """The object exists."""

    object: Object


@dataclass(frozen=True, slots=True)
class Absent:
    """The object does not exist, and no call that was sent before the search will still create it."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The search proves nothing: it was incomplete or refused, or the provider has no such search."""

    code: str
    message: str


ABSENT: Final = Absent()
Search: TypeAlias = Found[Object] | Absent | CannotTell


def converted(answer: Search[Object], convert: Callable[[Object], Other]) -> Search[Other]:
    """Return the same answer with its object, if there is one, converted."""
    return Found(convert(answer.object)) if isinstance(answer, Found) else answer
