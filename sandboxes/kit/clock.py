"""The virtual clock, and the timers that fall due on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from sandboxes.kit.store import Store


class Clock:
    """Time plus an offset that only grows; while a timer runs, the clock shows the moment at which it fell due.

    `source` returns the seconds since the epoch: real time, unless a program that runs the sandbox in its own
    process keeps another.
    """

    def __init__(self, store: Store, source: Callable[[], float] = time.time) -> None:
        self._store = store
        self._source = source
        self._offset = float(store.meta("clock_offset") or 0.0)
        self._pinned: float | None = None

    def exact(self) -> float:
        """Return the virtual moment in seconds since the epoch."""
        return self._pinned if self._pinned is not None else self._source() + self._offset

    def now(self) -> int:
        """Return the virtual moment in whole seconds, as objects carry it."""
        return int(self.exact())

    def today(self) -> date:
        """Return the virtual day."""
        return datetime.fromtimestamp(self.exact(), UTC).date()

    @property
    def offset(self) -> float:
        """Return how far the clock is ahead of real time, in seconds."""
        return self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock forward. The caller runs the timers that fall due."""
        self._offset += seconds
        self._store.remember("clock_offset", self._offset)

    @contextmanager
    def pinned(self, moment: float) -> Iterator[None]:
        """Stop the clock at one moment while a timer runs."""
        self._pinned = moment
        try:
            yield
        finally:
            self._pinned = None

    def schedule(self, kind: str, subject: str, after: float) -> None:
        """Set a timer `after` seconds from now."""
        self.schedule_at(kind, subject, self.exact() + after)

    def schedule_at(self, kind: str, subject: str, due: float) -> None:
        """Set a timer at a virtual moment."""
        self._store.db.execute("INSERT INTO timers (due, kind, subject) VALUES (?, ?, ?)", (due, kind, subject))

    def cancel(self, kind: str, subject: str) -> None:
        """Remove the timers of one kind for one subject."""
        self._store.db.execute("DELETE FROM timers WHERE kind = ? AND subject = ?", (kind, subject))

    def next_due(self) -> float | None:
        """Return the virtual moment of the next timer."""
        row = self._store.db.execute("SELECT min(due) AS due FROM timers").fetchone()
        return float(row["due"]) if row["due"] is not None else None

    def take_first(self) -> tuple[float, str, str]:
        """Remove and return the earliest timer: its moment, kind and subject."""
        row = self._store.db.execute("SELECT id, due, kind, subject FROM timers ORDER BY due, id LIMIT 1").fetchone()
        self._store.db.execute("DELETE FROM timers WHERE id = ?", (row["id"],))
        return float(row["due"]), str(row["kind"]), str(row["subject"])
