"""Rules broken on purpose, outside our code, to show that the simulation detects it."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMES = ("keys", "commits", "polls", "sweeps", "dashboard", "movements", "lines", "holds", "losses")
# What moves the money of a chargeback, and the path of a statement.
_MOVEMENTS = "balance_transactions"


@dataclass(frozen=True, slots=True)
class Sabotage:
    """One broken rule, or none.

    keys: the network loses the idempotency keys, and the provider's lists are empty. commits: the database says that it
    has committed and has not. polls: nobody asks the provider about what is open, nor reads its statement. sweeps:
    nobody picks up what a crash left behind, and its jobs are lost.
    dashboard: somebody moves money at the provider that we are not told of. movements: the provider does not tell what
    a chargeback moved. lines: its statement lacks every third line. holds: money of an escrow is held that nobody
    contests. losses: a loss is posted twice.
    """

    name: str = ""

    def __post_init__(self) -> None:
        """Refuse an unknown name."""
        if self.name and self.name not in NAMES:
            raise ValueError(f"there is no sabotage named {self.name!r}; known: {', '.join(NAMES)}")

    @property
    def loses_commits(self) -> bool:
        """Whether some commits are only said to be done."""
        return self.name == "commits"

    @property
    def moves_money(self) -> bool:
        """Whether money leaves the platform without our knowledge."""
        return self.name == "dashboard"

    @property
    def spoils_books(self) -> bool:
        """Whether somebody posts what no rule allows."""
        return self.name in ("holds", "losses")

    def reply(self, path: str, body: bytes) -> bytes:
        """Return the provider's answer to a read as it arrives."""
        if self.name == "movements" and path.startswith("disputes"):
            return json.dumps(_without_movements(json.loads(body))).encode()
        if self.name == "lines" and path == _MOVEMENTS:
            found = json.loads(body)
            found["data"] = [line for line in found["data"] if zlib.crc32(line["id"].encode()) % 3]
            return json.dumps(found).encode()
        return body

    @property
    def missing_chores(self) -> frozenset[str]:
        """What no worker does."""
        return {
            "polls": frozenset({"refresh_open", "queue_statements"}),
            "sweeps": frozenset({"sweep_operations", "sweep_webhooks"}),
        }.get(self.name, frozenset())

    @property
    def loses_jobs(self) -> bool:
        """Whether a worker that dies takes its job with it."""
        return self.name == "sweeps"

    @property
    def loses_keys(self) -> bool:
        """Whether nothing tells the provider, or us, that a call was made before."""
        return self.name == "keys"

    def headers(self, given: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers of a call as they arrive."""
        if not self.loses_keys:
            return given
        # A copy of the same kind, which finds names in any case.
        kept = given.copy()  # type: ignore[attr-defined]
        kept.pop("Idempotency-Key", None)
        return kept  # type: ignore[no-any-return]


def _without_movements(found: Any) -> Any:
    if isinstance(found, list):
        return [_without_movements(one) for one in found]
    if not isinstance(found, dict):
        return found
    return {name: [] if name == _MOVEMENTS else _without_movements(one) for name, one in found.items()}
