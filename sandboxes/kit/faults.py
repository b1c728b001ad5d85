"""Fault rules: which requests and webhooks fail, how often, and reproducibly for one seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sandboxes.kit.documents import Doc
from sandboxes.kit.identifiers import fraction
from sandboxes.kit.store import Store

REQUEST_KINDS = ("drop_request", "drop_response", "error_before", "error_after", "rate_limit", "delay")
WEBHOOK_KINDS = ("webhook_lost", "webhook_doubled", "webhook_delayed", "webhook_reordered")
MOST = 10**9
DEFAULTS: Doc = {
    "method": "*", "path": "*", "event_type": "*", "endpoint": "*",
    "probability": 1.0, "count": None, "skip": 0, "seconds": 1.0, "seed": None,
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A fault that applies to the present request or webhook."""

    kind: str
    seconds: float


class RuleRefused(ValueError):
    """An invalid rule."""


class Faults:
    """The rules, stored with the state, so that a restarted sandbox continues as before."""

    def __init__(self, store: Store, seed: str) -> None:
        self._store = store
        self._seed = seed

    def add(self, rule: Doc) -> Doc:
        """Store a rule and return it with its id. Raises RuleRefused."""
        checked = _checked(rule)
        cursor = self._store.db.execute("INSERT INTO faults (rule) VALUES (?)", (json.dumps(checked),))
        return {"id": cursor.lastrowid, **checked, "matched": 0, "fired": 0}

    def rules(self) -> list[Doc]:
        """Return the rules with how often each matched and fired."""
        rows = self._store.db.execute("SELECT * FROM faults ORDER BY id")
        return [
            {"id": row["id"], **json.loads(row["rule"]), "matched": row["matched"], "fired": row["fired"]}
            for row in rows
        ]

    def remove(self, ident: int | None = None) -> int:
        """Remove one rule, or all; return how many."""
        return self._store.db.execute("DELETE FROM faults WHERE ? IS NULL OR id = ?", (ident, ident)).rowcount

    def for_request(self, method: str, path: str) -> Fault | None:
        """Return the fault of a request: that of the first rule that fires."""
        for rule in self.rules():
            if rule["kind"] not in REQUEST_KINDS or rule["method"] not in ("*", method):
                continue
            if fnmatchcase(path, rule["path"]) and self._fires(rule):
                return Fault(rule["kind"], float(rule["seconds"]))
        return None

    def for_webhook(self, event_type: str, url: str) -> Fault | None:
        """Return the fault of the first attempt of a delivery."""
        for rule in self.rules():
            if rule["kind"] not in WEBHOOK_KINDS or not fnmatchcase(event_type, rule["event_type"]):
                continue
            if fnmatchcase(url, rule["endpoint"]) and self._fires(rule):
                return Fault(rule["kind"], float(rule["seconds"]))
        return None

    def _fires(self, rule: Doc) -> bool:
        matched = rule["matched"] + 1
        spent = rule["count"] is not None and rule["fired"] >= rule["count"]
        drawn = fraction(f"{self._seed if rule['seed'] is None else rule['seed']}:{rule['id']}:{matched}")
        fires = not spent and matched > rule["skip"] and drawn < rule["probability"]
        self._store.db.execute(
            "UPDATE faults SET matched = ?, fired = fired + ? WHERE id = ?", (matched, int(fires), rule["id"])
        )
        return fires


def _checked(rule: Doc) -> Doc:
    unknown = rule.keys() - {"kind", *DEFAULTS}
    if unknown:
        raise RuleRefused(f"unknown: {', '.join(sorted(unknown))}; a rule takes kind, {', '.join(DEFAULTS)}")
    if rule.get("kind") not in REQUEST_KINDS + WEBHOOK_KINDS:
        raise RuleRefused(f"kind must be one of {', '.join(REQUEST_KINDS + WEBHOOK_KINDS)}")
    checked = {"kind": rule["kind"], **DEFAULTS, **rule}
    for name in ("probability", "skip", "seconds"):
        if (
            isinstance(checked[name], bool)
            or not isinstance(checked[name], int | float)
            or not 0 <= checked[name] <= MOST
        ):
            raise RuleRefused(f"{name} must be a number from 0 to {MOST}")
    if checked["count"] is not None and (isinstance(checked["count"], bool) or not isinstance(checked["count"], int)):
        raise RuleRefused("count must be a whole number or null")
    for name in ("method", "path", "event_type", "endpoint"):
        if not isinstance(checked[name], str):
            raise RuleRefused(f"{name} must be text")
    return checked
