"""The sandbox's parts together, and what every endpoint needs of them."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

from sandboxes.stripe import errors, shaping
from sandboxes.stripe.call import Call
from sandboxes.stripe.clock import Clock
from sandboxes.stripe.documents import Doc, public
from sandboxes.stripe.faults import Faults
from sandboxes.stripe.identifiers import Identifiers
from sandboxes.stripe.money import Money
from sandboxes.stripe.settings import Settings
from sandboxes.stripe.store import Store

log = logging.getLogger("sandboxes.stripe")
Renderer = Callable[["Box", Doc], Doc]
Timer = Callable[["Box", str], None]

RENDERERS: dict[str, Renderer] = {}
TIMERS: dict[str, Timer] = {}


def renders(kind: str) -> Callable[[Renderer], Renderer]:
    """Register what computes the changing fields of one kind of object."""

    def register(function: Renderer) -> Renderer:
        RENDERERS[kind] = function
        return function

    return register


def timer(kind: str) -> Callable[[Timer], Timer]:
    """Register what happens when a timer of one kind falls due."""

    def register(function: Timer) -> Timer:
        TIMERS[kind] = function
        return function

    return register


class Box:
    """State, clock, money, ids and faults of one sandbox."""

    def __init__(self, settings: Settings, source: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._source = source
        self.store = Store(settings.data)
        self.call: Call | None = None
        self.wake: Callable[[], None] = lambda: None
        self.base_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        with self.store.transaction():
            self.open()

    def open(self) -> None:
        """Read the state, or begin one: seed, clock, platform."""
        self.seed = _remembered(self.store, "seed", self.settings.seed)
        self.clock = Clock(self.store, self._source)
        self.ids = Identifiers(self.store, self.seed)
        self.money = Money(self.store, self.clock)
        self.faults = Faults(self.store, self.seed)
        self.platform = str(self.store.meta("platform") or self._new_platform())

    def _new_platform(self) -> str:
        ident = self.ids.new("acct_1", 15)
        self.store.remember("platform", ident)
        return ident

    def find(self, kind: str, ident: str, *, account: str | None = None, param: str = "id") -> Doc:
        """Return a document of a kind. Raises resource_missing."""
        doc = self.store.get(ident, kind, account)
        if doc is None:
            raise errors.missing(kind, ident, param=param)
        return doc

    def add(self, doc: Doc, account: str, *, parent: str | None = None) -> Doc:
        """Insert a document."""
        return self.store.insert(doc, account, parent)

    def render(self, doc: Doc) -> Doc:
        """Return the object as the API answers it, with every declared field."""
        renderer = RENDERERS.get(doc["object"])
        return shaping.complete(public(renderer(self, dict(doc)) if renderer else doc))

    def run_due(self) -> None:
        """Run every timer that is due, each in a transaction of its own, at its own moment."""
        while (next_due := self.clock.next_due()) is not None and next_due <= self.clock.exact():
            try:
                self._run_first()
            except Exception:
                # One that fails would fail again before every later one, so it is given up; what it did is undone.
                with self.store.transaction():
                    log.exception("gave up the timer %s", self.clock.take_first())
        self.wake()

    def _run_first(self) -> None:
        with self.store.transaction():
            moment, kind, subject = self.clock.take_first()
            with self.clock.pinned(moment):
                TIMERS[kind](self, subject)


def _remembered(store: Store, name: str, given: Any) -> str:
    kept = store.meta(name)
    if kept is None:
        kept = str(given) if given is not None else secrets.token_hex(8)
        store.remember(name, kept)
    return str(kept)
