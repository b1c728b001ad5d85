"""The sandbox's own record of all money: a journal whose entries each sum to zero, and the sums per book.

Books: `acct_x/pending`, `acct_x/available`, `acct_x/payouts` (on the way to a bank), `card/<fingerprint>`
(negative: what the card has paid), `bank/<ba_x>`, `stripe/fees`, `stripe/disputes`.
"""

from __future__ import annotations

from sandboxes.stripe.clock import Clock
from sandboxes.stripe.documents import Doc
from sandboxes.stripe.store import Store

Leg = tuple[str, int]


class Money:
    """Posts entries and answers for the sums."""

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

    def cards(self) -> Doc:
        """Return what each card was charged and given back: {fingerprint: {currency: {charged, refunded}}}."""
        rows = self._store.db.execute(
            "SELECT book, currency, -sum(iif(kind = 'charge', amount, 0)) AS charged,"
            " sum(iif(kind = 'charge', 0, amount)) AS refunded FROM journal"
            " WHERE book >= 'card/' AND book < 'card0' GROUP BY book, currency"
        )
        totals: Doc = {}
        for row in rows:
            amounts = {"charged": row["charged"], "refunded": row["refunded"]}
            totals.setdefault(row["book"].removeprefix("card/"), {})[row["currency"]] = amounts
        return totals

    def sums(self) -> dict[str, int]:
        """Return the sum of the whole journal per currency: always zero."""
        rows = self._store.db.execute("SELECT currency, sum(amount) AS total FROM journal GROUP BY currency")
        return {row["currency"]: row["total"] for row in rows}
