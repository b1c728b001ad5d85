"""The sources that a provider has browsers load from, for the content security policy."""

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSources:
    """Origins: of scripts, of frames, of requests that scripts make, and of pages that forms and redirects lead to."""

    scripts: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable["BrowserSources"]) -> "BrowserSources":
        """Return the sources of several providers, each origin once."""
        known = list(parts)

        def all_of(name: str) -> tuple[str, ...]:
            return tuple(dict.fromkeys(origin for part in known for origin in getattr(part, name)))

        return cls(**{field.name: all_of(field.name) for field in fields(cls)})
