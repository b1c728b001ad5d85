"""Idempotency keys: the first answer again for a day, other parameters refused, one request at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from sandboxes.stripe.box import Box
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.errors import ApiError

LIFETIME = 86_400
LONGEST = 255


@dataclass(frozen=True)
class Answer:
    """An answer as it goes out."""

    status: int
    body: str
    request_id: str
    replayed: bool = False


def fingerprint(method: str, path: str, form: Doc) -> str:
    """Return what tells one request from another; the order in which the parameters came does not."""
    return hashlib.sha256(f"{method} {path}\n{json.dumps(form, sort_keys=True)}".encode()).hexdigest()


class Keys:
    """The keys of one sandbox; those in flight live in memory, as they end with the process."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._in_flight: set[tuple[str, str]] = set()

    def begin(self, account: str, key: str, mark: str) -> Answer | None:
        """Return the saved answer, or take the key for a first run. Raises 400 and 409."""
        if not key or len(key) > LONGEST or not key.isascii():
            raise ApiError(400, f"Idempotency keys must have from 1 to {LONGEST} ASCII characters.", saved=False)
        if (account, key) in self._in_flight:
            raise ApiError(
                409,
                f"There is currently another in-progress request using this Idempotency-Key ({key})."
                " Retry with the same key once it has finished.",
                kind="idempotency_error",
                code="idempotency_key_in_use",
                saved=False,
            )
        saved = self._saved(account, key)
        if saved is None:
            self._in_flight.add((account, key))
            return None
        if saved["fingerprint"] != mark:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
                f" Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
                saved=False,
            )
        return Answer(saved["status"], saved["body"], saved["request"], replayed=True)

    def end(self, account: str, key: str) -> None:
        """Free a key that was taken."""
        self._in_flight.discard((account, key))

    def save(self, account: str, key: str, mark: str, answer: Answer) -> None:
        """Keep an answer under its key, in the caller's transaction."""
        self._box.store.db.execute(
            "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            (account, key, mark, self._box.clock.exact(), answer.status, answer.body, answer.request_id),
        )

    def _saved(self, account: str, key: str) -> Doc | None:
        row = self._box.store.db.execute(
            "SELECT * FROM keys WHERE account = ? AND key = ? AND created > ?",
            (account, key, self._box.clock.exact() - LIFETIME),
        ).fetchone()
        return dict(row) if row else None


def encode(body: object) -> str:
    """Return the JSON text of an answer."""
    return json.dumps(body, ensure_ascii=False)
