"""Webhooks that have to be delivered: which are due, and the outcome of each attempt.

A provider keeps its events as documents of the kind `event` (with `type`) and the addresses that receive them as
documents of the kind `webhook_endpoint` (with `url` and `status`, which is `enabled` or not). Nothing here sends
anything: `sandboxes/kit/deliveries.py` does, over HTTP.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from sandboxes.kit.documents import Doc
from sandboxes.kit.sandbox import Sandbox

MOST_DUE = 500


@dataclass(frozen=True)
class Message:
    """One webhook as it is sent."""

    url: str
    body: bytes
    headers: dict[str, str]


class Webhooks(Protocol):
    """What a provider decides about its webhooks."""

    def listeners(self, event: Doc) -> list[Doc]:
        """Return the enabled endpoints that want an event."""

    def message(self, event: Doc, endpoint: Doc, moment: float | None) -> Message:
        """Write and sign an event for an endpoint, at a real moment or now."""


def enqueue(sandbox: Sandbox, event: str, endpoint: str) -> None:
    """Add a delivery; it is made once the transaction is committed."""
    sandbox.store.db.execute(
        "INSERT INTO deliveries (event, endpoint, due) VALUES (?, ?, ?)", (event, endpoint, sandbox.clock.exact())
    )


def pending(sandbox: Sandbox, event: str) -> int:
    """Return how many deliveries of an event have not ended."""
    row = sandbox.store.db.execute(
        "SELECT count(*) AS pending FROM deliveries WHERE event = ? AND status = 'pending'", (event,)
    ).fetchone()
    return int(row["pending"])


class Outbox:
    """The deliveries of one sandbox, kept in its store."""

    def __init__(self, sandbox: Sandbox, webhooks: Webhooks) -> None:
        self.sandbox = sandbox
        self.webhooks = webhooks

    def due(self) -> list[Doc]:
        """Return the deliveries that are due now, the earliest first."""
        rows = self.sandbox.store.db.execute(
            "SELECT * FROM deliveries WHERE status = 'pending' AND held = 0 AND due <= ? ORDER BY due, id LIMIT ?",
            (self.sandbox.clock.exact(), MOST_DUE),
        )
        return [dict(row) for row in rows]

    def next_due(self, *, besides: Collection[int] = ()) -> float | None:
        """Return the virtual moment of the next delivery that is not one of `besides`."""
        marks = ", ".join("?" * len(besides))
        row = self.sandbox.store.db.execute(
            f"SELECT min(due) AS due FROM deliveries WHERE status = 'pending' AND held = 0 AND id NOT IN ({marks})",  # noqa: S608
            tuple(besides),
        ).fetchone()
        return float(row["due"]) if row["due"] is not None else None

    def opened(self, delivery: Doc) -> tuple[Doc, Doc] | None:
        """Return a delivery's event and endpoint, or None when the endpoint is gone or disabled."""
        with self.sandbox.store.transaction():
            event = self.sandbox.store.get(delivery["event"], "event")
            endpoint = self.sandbox.store.get(delivery["endpoint"], "webhook_endpoint")
        if event is None or endpoint is None or endpoint["status"] != "enabled":
            return None
        return event, endpoint

    def message(self, event: Doc, endpoint: Doc, moment: float | None = None) -> Message:
        """Write and sign an event for an endpoint, at a real moment or now."""
        return self.webhooks.message(event, endpoint, moment)

    def settle(self, delivery: Doc, note: str) -> None:
        """Record the outcome of an attempt: "" for success, else the error, after which it is retried later."""
        if not note:
            self.finish(delivery, "succeeded", "")
            return
        pauses = self.sandbox.retry_pauses
        attempts = delivery["attempts"]
        if attempts >= len(pauses):
            self.finish(delivery, "failed", note)
            return
        # Counted from when the attempt was due, so that one long advance plays every attempt.
        self._write(delivery, due=delivery["due"] + pauses[attempts], note=note)

    def put_off(self, delivery: Doc, note: str, *, seconds: float = 0, is_held: bool = False) -> None:
        """Postpone a delivery, or hold it until `release`."""
        self._write(delivery, due=delivery["due"] + seconds, note=note, held=int(is_held))

    def finish(self, delivery: Doc, status: str, note: str) -> None:
        """End a delivery."""
        self._write(delivery, status=status, note=note)

    def _write(self, delivery: Doc, **changes: object) -> None:
        named = "".join(f"{name} = ?, " for name in changes)
        with self.sandbox.store.transaction():
            self.sandbox.store.db.execute(
                f"UPDATE deliveries SET {named}attempts = attempts + 1 WHERE id = ?",  # noqa: S608
                (*changes.values(), delivery["id"]),
            )

    def release(self, endpoint: str) -> None:
        """Release the deliveries that wait for the next one to the same endpoint."""
        with self.sandbox.store.transaction():
            self.sandbox.store.db.execute("UPDATE deliveries SET held = 0 WHERE endpoint = ? AND held = 1", (endpoint,))
