"""The state of an offline Paymob: that of every sandbox, and the merchant's fixed numbers."""

from __future__ import annotations

import time
from collections.abc import Callable

from sandboxes.kit import sandbox
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.paymob import errors, integrations
from sandboxes.paymob.settings import Settings

# Every document belongs to the only merchant.
MERCHANT = str(integrations.MERCHANT)


class Sandbox(sandbox.Sandbox):
    """One offline Paymob."""

    def __init__(
        self, settings: Settings, behaviour: sandbox.Behaviour, source: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        super().__init__(settings, behaviour, source)

    def identity(self) -> Doc:
        """Return the merchant's number and its integrations."""
        return {
            "merchant": integrations.MERCHANT,
            "integrations": {one.name: one.ident for one in integrations.ALL},
        }

    def missing(self, kind: str, ident: str, *, param: str) -> ApiError:
        """Return what Django REST framework answers for an object that does not exist."""
        return errors.detail(404, "Not found.")

    def keep(self, doc: Doc, *, parent: str | None = None) -> Doc:
        """Insert a document of the merchant."""
        return self.add(doc, MERCHANT, parent=parent)
