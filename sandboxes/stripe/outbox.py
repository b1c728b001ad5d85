"""What is to be delivered: which webhooks are due, how each is written and signed, and what became of it.

Nothing here sends anything: `sandboxes/stripe/deliveries.py` does, over the network.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Collection
from dataclasses import dataclass

from sandboxes.stripe.box import Box
from sandboxes.stripe.documents import Doc

MOST_DUE = 500


@dataclass(frozen=True)
class Message:
    """One webhook as it is sent."""

    url: str
    body: bytes
    headers: dict[str, str]


def signature(body: bytes, secrets: list[str], moment: int) -> str:
    """Return the Stripe-Signature header: one v1 for each secret that is in force."""
    signed = b"%d." % moment + body
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={moment}", *(f"v1={mark}" for mark in marks)])


class Outbox:
    """The deliveries of one sandbox, kept in its store."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def due(self) -> list[Doc]:
        """Return the deliveries that are due now, the earliest first."""
        rows = self.box.store.db.execute(
            "SELECT * FROM deliveries WHERE status = 'pending' AND held = 0 AND due <= ? ORDER BY due, id LIMIT ?",
            (self.box.clock.exact(), MOST_DUE),
        )
        return [dict(row) for row in rows]

    def next_due(self, *, besides: Collection[int] = ()) -> float | None:
        """Return the virtual moment of the next delivery that is not one of `besides`."""
        marks = ", ".join("?" * len(besides))
        row = self.box.store.db.execute(
            f"SELECT min(due) AS due FROM deliveries WHERE status = 'pending' AND held = 0 AND id NOT IN ({marks})",  # noqa: S608
            tuple(besides),
        ).fetchone()
        return float(row["due"]) if row["due"] is not None else None

    def opened(self, delivery: Doc) -> tuple[Doc, Doc] | None:
        """Return a delivery's event and endpoint, or None where nobody listens any more."""
        with self.box.store.transaction():
            event = self.box.store.get(delivery["event"], "event")
            endpoint = self.box.store.get(delivery["endpoint"], "webhook_endpoint")
        if event is None or endpoint is None or endpoint["status"] != "enabled":
            return None
        return event, endpoint

    def message(self, event: Doc, endpoint: Doc, moment: float | None = None) -> Message:
        """Write and sign an event for an endpoint, at `moment` or now."""
        body = json.dumps(self.box.render(event), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (offline sandbox)",
            # The receiver checks the age of the signature against real time, so the virtual clock stays out of it.
            "Stripe-Signature": signature(body, self._secrets(endpoint), int(moment or time.time())),
        }
        return Message(endpoint["url"], body, headers)

    def _secrets(self, endpoint: Doc) -> list[str]:
        now = self.box.clock.exact()
        older = [old["secret"] for old in endpoint["_old_secrets"] if old["until"] > now]
        return [endpoint["_secret"], *older]

    def settle(self, delivery: Doc, note: str) -> None:
        """Keep what became of an attempt: "" for success, or what went wrong, after which it is tried again later."""
        if not note:
            self.finish(delivery, "succeeded", "")
            return
        pauses = self.box.settings.retry_pauses
        attempts = delivery["attempts"]
        if attempts >= len(pauses):
            self.finish(delivery, "failed", note)
            return
        # Counted from when the attempt was due, so that one long advance plays every attempt.
        self._write(delivery, due=delivery["due"] + pauses[attempts], note=note)

    def put_off(self, delivery: Doc, note: str, *, seconds: float = 0, is_held: bool = False) -> None:
        """Let a delivery be due later, or hold it until `release`."""
        self._write(delivery, due=delivery["due"] + seconds, note=note, held=int(is_held))

    def finish(self, delivery: Doc, status: str, note: str) -> None:
        """Try a delivery no more."""
        self._write(delivery, status=status, note=note)

    def _write(self, delivery: Doc, **changes: object) -> None:
        named = "".join(f"{name} = ?, " for name in changes)
        with self.box.store.transaction():
            self.box.store.db.execute(
                f"UPDATE deliveries SET {named}attempts = attempts + 1 WHERE id = ?",  # noqa: S608
                (*changes.values(), delivery["id"]),
            )

    def release(self, endpoint: str) -> None:
        """Let the deliveries go that an endpoint's next one held back."""
        with self.box.store.transaction():
            self.box.store.db.execute("UPDATE deliveries SET held = 0 WHERE endpoint = ? AND held = 1", (endpoint,))
