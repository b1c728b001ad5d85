"""The state of an offline Stripe: that of every sandbox, and the platform's account."""

from __future__ import annotations

import time
from collections.abc import Callable

from sandboxes.kit import sandbox
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.stripe import errors, shaping
from sandboxes.stripe.settings import Settings


class Sandbox(sandbox.Sandbox):
    """One offline Stripe; `platform` is the id of the platform's account."""

    def __init__(
        self, settings: Settings, behaviour: sandbox.Behaviour, source: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        super().__init__(settings, behaviour, source)

    def _open(self) -> None:
        super()._open()
        self.platform = str(self.store.meta("platform") or self._new_platform())

    def _new_platform(self) -> str:
        ident = self.ids.new("acct_1", 15)
        self.store.remember("platform", ident)
        return ident

    def identity(self) -> Doc:
        """Return the platform's account id."""
        return {"platform": self.platform}

    def missing(self, kind: str, ident: str, *, param: str) -> ApiError:
        """Return resource_missing."""
        return errors.missing(kind, ident, param=param)

    def render(self, doc: Doc) -> Doc:
        """Return the object as the API answers it, with every declared field."""
        return shaping.complete(super().render(doc))
