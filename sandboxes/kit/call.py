"""One request as an endpoint sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandboxes.kit.documents import Doc


@dataclass
class Call:
    """A request with its caller: `account` is the account in whose name the endpoint works.

    `publishable`: the caller's key is one that browsers know. `fingerprint` tells requests under one key apart.
    """

    method: str
    path: str
    account: str
    request_id: str
    publishable: bool = False
    idempotency_key: str | None = None
    fingerprint: str = ""
    remote: str | None = None
    user_agent: str | None = None
    params: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, or the default when it was not given or was emptied."""
        value = self.params.get(name)
        return default if value is None else value

    def taken(self, doc: Doc, *names: str) -> Doc:
        """Copy the named parameters that were given into a document, emptied ones as null."""
        for name in names:
            if name in self.params:
                doc[name] = self.params[name]
        return doc
