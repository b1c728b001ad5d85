"""The state of one sandbox: documents, clock, journal of money, identifiers and fault rules."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandboxes.kit.call import Call
from sandboxes.kit.clock import Clock
from sandboxes.kit.documents import Doc, public
from sandboxes.kit.errors import ApiError
from sandboxes.kit.faults import Faults
from sandboxes.kit.identifiers import Identifiers
from sandboxes.kit.journal import Journal
from sandboxes.kit.settings import Settings
from sandboxes.kit.store import Store

log = logging.getLogger("sandboxes")


@dataclass(frozen=True)
class Behaviour:
    """What a provider's objects do.

    `timers` runs when a timer of a kind falls due, with the sandbox and the timer's subject. `renderers` computes the
    changing fields of one kind of object. `prepare` creates the objects that exist from the start and are not there
    yet. `tables` is SQL that creates tables of the provider's own.
    """

    timers: Mapping[str, Callable[[Any, str], None]]
    renderers: Mapping[str, Callable[[Any, Doc], Doc]]
    prepare: Callable[[Any], None]
    tables: str = ""


class Sandbox:
    """The parts of one sandbox, and what every endpoint needs of them. A provider derives its own from it."""

    def __init__(self, settings: Settings, behaviour: Behaviour, source: Callable[[], float] = time.time) -> None:
        self._given_seed = settings.seed
        self._behaviour = behaviour
        self._source = source
        self.store = Store(settings.data, behaviour.tables)
        self.call: Call | None = None
        self.wake: Callable[[], None] = lambda: None
        self.base_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        self.retry_pauses = settings.retry_pauses
        with self.store.transaction():
            self._open()
            behaviour.prepare(self)

    def _open(self) -> None:
        """Read the state, or create a new one. A provider adds what else it keeps by name."""
        self.seed = _remembered(self.store, "seed", self._given_seed)
        self.clock = Clock(self.store, self._source)
        self.ids = Identifiers(self.store, self.seed)
        self.journal = Journal(self.store, self.clock)
        self.faults = Faults(self.store, self.seed)

    def reset(self) -> None:
        """Delete all state and start as with an empty folder."""
        with self.store.transaction():
            self.store.empty()
            self._open()
            self._behaviour.prepare(self)

    def identity(self) -> Doc:
        """Return what a caller of the control API learns about this sandbox besides its seed and time."""
        return {}

    def missing(self, kind: str, ident: str, *, param: str) -> ApiError:
        """Return the error for an object that does not exist."""
        return ApiError(404, f"No such {kind}: '{ident}'", param=param)

    def find(self, kind: str, ident: str, *, account: str | None = None, param: str = "id") -> Doc:
        """Return a document of a kind. Raises what `missing` returns."""
        doc = self.store.get(ident, kind, account)
        if doc is None:
            raise self.missing(kind, ident, param=param)
        return doc

    def add(self, doc: Doc, account: str, *, parent: str | None = None) -> Doc:
        """Insert a document."""
        return self.store.insert(doc, account, parent)

    def render(self, doc: Doc) -> Doc:
        """Return the object as the API answers it."""
        renderer = self._behaviour.renderers.get(doc["object"])
        return public(renderer(self, dict(doc)) if renderer else doc)

    def run_due(self) -> None:
        """Run every timer that is due, each in a transaction of its own, at its own moment."""
        while (next_due := self.clock.next_due()) is not None and next_due <= self.clock.exact():
            try:
                self._run_first()
            except Exception:
                # A timer that fails would fail again before every later one, so it is dropped and its writes undone.
                with self.store.transaction():
                    log.exception("dropped the timer %s", self.clock.take_first())
        self.wake()

    def _run_first(self) -> None:
        with self.store.transaction():
            moment, kind, subject = self.clock.take_first()
            with self.clock.pinned(moment):
                self._behaviour.timers[kind](self, subject)


def _remembered(store: Store, name: str, given: Any) -> str:
    kept = store.meta(name)
    if kept is None:
        kept = str(given) if given is not None else secrets.token_hex(8)
        store.remember(name, kept)
    return str(kept)
