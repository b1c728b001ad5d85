"""Idempotency keys: the first answer again for a day, other parameters refused, one request at a time."""

from __future__ import annotations

import hashlib
import json

from sandboxes.kit.api import Answer
from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import ApiError
from sandboxes.kit.uploads import Upload
from sandboxes.stripe.sandbox import Sandbox

LIFETIME = 86_400
LONGEST = 255
TABLES = """
CREATE TABLE IF NOT EXISTS keys (
    account TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, created REAL NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, request TEXT NOT NULL, PRIMARY KEY (account, key));
"""


def fingerprint(method: str, path: str, form: Doc) -> str:
    """Return what tells one request from another; the order in which the parameters came does not."""
    return hashlib.sha256(f"{method} {path}\n{json.dumps(form, sort_keys=True, default=_digest)}".encode()).hexdigest()


def _digest(upload: Upload) -> str:
    return upload.digest


class Keys:
    """The keys of one sandbox. Keys in progress are held in memory, because they end with the process."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._in_progress: set[tuple[str, str]] = set()

    def claim(self, call: Call) -> Answer | None:
        """Return the saved answer, or take the key, if there is one, for a first run. Raises 400 and 409."""
        account, key = call.account, call.idempotency_key
        if key is None:
            return None
        if not key or len(key) > LONGEST or not key.isascii():
            raise ApiError(400, f"Idempotency keys must have from 1 to {LONGEST} ASCII characters.", saved=False)
        if (account, key) in self._in_progress:
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
            self._in_progress.add((account, key))
            return None
        if saved["fingerprint"] != call.fingerprint:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
                f" Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
                saved=False,
            )
        return Answer(saved["status"], saved["body"], saved["request"], replayed=True)

    def release(self, call: Call) -> None:
        """Free a key that was taken."""
        if call.idempotency_key is not None:
            self._in_progress.discard((call.account, call.idempotency_key))

    def save(self, call: Call, answer: Answer) -> None:
        """Store an answer under its key, in the caller's transaction."""
        if call.idempotency_key is None:
            return
        account, key, mark = call.account, call.idempotency_key, call.fingerprint
        self._sandbox.store.db.execute(
            "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            (account, key, mark, self._sandbox.clock.exact(), answer.status, answer.body, answer.request_id),
        )

    def _saved(self, account: str, key: str) -> Doc | None:
        row = self._sandbox.store.db.execute(
            "SELECT * FROM keys WHERE account = ? AND key = ? AND created > ?",
            (account, key, self._sandbox.clock.exact() - LIFETIME),
        ).fetchone()
        return dict(row) if row else None
