"""The sandbox's own double-entry record of all money: entries that each sum to zero, and the balance of each book.

A provider names its books, for example `acct_x/available`, `card/<fingerprint>` or `bank/<ba_x>`.
"""

from __future__ import annotations

from sandboxes.kit.clock import Clock
from sandboxes.kit.documents import Doc
from sandboxes.kit.store import Store

Leg = tuple[str, int]


class Journal:
    """Posts entries and reads balances."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def post(self, kind: str, subject: str, currency: str, *legs: Leg) -> None:
        """Write one entry; its legs must sum to zero."""
        if sum(amount for _, amount in legs) != 0:
            raise AssertionError(f"the entry {kind} of {subject} does not sum to zero: {legs}")
        db = self._store.db
        entry = int(db.execute("SELECT coalesce(max(entry), 0) + 1 FROM journal").fetchone()[0])
        for book, amount in legs:
            if amount == 0:
                continue
            db.execute(
                "INSERT INTO journal (entry, kind, object, book, currency, amount, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (entry, kind, subject, book, currency, amount, self._clock.now()),
            )
            db.execute(
                "INSERT INTO books VALUES (?, ?, ?)"
                " ON CONFLICT (book, currency) DO UPDATE SET amount = amount + excluded.amount",
                (book, currency, amount),
            )

    def balance(self, book: str, currency: str) -> int:
        """Return the sum of one book in one currency, in minor units."""
        row = self._store.db.execute(
            "SELECT amount FROM books WHERE book = ? AND currency = ?", (book, currency)
        ).fetchone()
        return int(row["amount"]) if row else 0

    def balances(self, prefix: str = "") -> Doc:
        """Return the sums of the books whose name begins with `prefix`: {book: {currency: amount}}."""
        sums: Doc = {}
        rows = self._store.db.execute(
            "SELECT book, currency, amount FROM books WHERE substr(book, 1, ?) = ? ORDER BY book, currency",
            (len(prefix), prefix),
        )
        for row in rows:
            sums.setdefault(row["book"], {})[row["currency"]] = row["amount"]
        return sums

    def entries(self, subject: str | None = None) -> list[Doc]:
        """Return the journal's entries, oldest first, all or those of one object."""
        rows = self._store.db.execute(
            "SELECT entry, kind, object, book, currency, amount, created FROM journal"
            " WHERE ? IS NULL OR object = ? ORDER BY seq",
            (subject, subject),
        )
        grouped: dict[int, Doc] = {}
        for row in rows:
            entry = grouped.setdefault(
                row["entry"],
                {name: row[name] for name in ("entry", "kind", "object", "currency", "created")} | {"legs": []},
            )
            entry["legs"].append({"book": row["book"], "amount": row["amount"]})
        return list(grouped.values())

    def turnover(self, prefix: str, kind: str) -> dict[str, dict[str, tuple[int, int]]]:
        """Return what left the books of a prefix in entries of a kind, and what all other entries brought back.

        Shape: {book without its prefix: {currency: (left, brought back)}}, in minor units.
        """
        rows = self._store.db.execute(
            "SELECT book, currency, -sum(iif(kind = ?, amount, 0)) AS taken,"
            " sum(iif(kind = ?, 0, amount)) AS returned FROM journal"
            " WHERE substr(book, 1, ?) = ? GROUP BY book, currency",
            (kind, kind, len(prefix), prefix),
        )
        totals: dict[str, dict[str, tuple[int, int]]] = {}
        for row in rows:
            totals.setdefault(row["book"].removeprefix(prefix), {})[row["currency"]] = (row["taken"], row["returned"])
        return totals

    def sums(self) -> dict[str, int]:
        """Return the sum of the whole journal per currency: always zero."""
        rows = self._store.db.execute("SELECT currency, sum(amount) AS total FROM journal GROUP BY currency")
        return {row["currency"]: row["total"] for row in rows}
