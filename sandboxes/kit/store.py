"""Durable state: one sqlite file, written in one transaction per request and committed before the answer."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandboxes.kit.documents import Doc

_TABLES = """
CREATE TABLE IF NOT EXISTS docs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, account TEXT NOT NULL,
    parent TEXT, created INTEGER NOT NULL, doc TEXT NOT NULL, retired INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS docs_listing ON docs (kind, account, seq);
CREATE INDEX IF NOT EXISTS docs_pending ON docs (kind, account)
    WHERE json_extract(doc, '$.status') = 'pending';
CREATE INDEX IF NOT EXISTS docs_parent ON docs (parent, kind, seq);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS timers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, due REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS timers_due ON timers (due, id);
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, entry INTEGER NOT NULL, kind TEXT NOT NULL, object TEXT NOT NULL,
    book TEXT NOT NULL, currency TEXT NOT NULL, amount INTEGER NOT NULL, created INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS journal_object ON journal (object);
CREATE INDEX IF NOT EXISTS journal_entry ON journal (entry);
CREATE TABLE IF NOT EXISTS books (
    book TEXT NOT NULL, currency TEXT NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (book, currency));
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, endpoint TEXT NOT NULL, due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'pending', note TEXT NOT NULL DEFAULT '',
    held INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (status, due);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, matched INTEGER NOT NULL DEFAULT 0,
    fired INTEGER NOT NULL DEFAULT 0);
"""


class FolderRefused(Exception):
    """The folder cannot hold the state: another sandbox runs on it, or it cannot be written or read."""


class Store:
    """Documents and tables of one sandbox. Inside a transaction one id is one dict, however often it is read.

    `more_tables` is SQL that creates a provider's own tables.
    """

    def __init__(self, folder: Path | None, more_tables: str = "") -> None:
        try:
            self._lock = _lock(folder) if folder else None
            self.db = _opened(folder / "sandbox.sqlite" if folder else ":memory:", more_tables)
        except (OSError, sqlite3.Error) as error:
            raise FolderRefused(f"{folder} cannot hold the state ({error}); name another folder with --data") from error
        self._read: dict[str, Doc] = {}

    def close(self) -> None:
        """Release the file and the folder."""
        self.db.close()
        if self._lock:
            self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block as one transaction; an exception rolls it back."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException as error:
            self.db.execute("COMMIT" if getattr(error, "keep_effects", False) else "ROLLBACK")
            raise
        else:
            self.db.execute("COMMIT")
        finally:
            self._read.clear()

    def empty(self) -> None:
        """Delete all state."""
        tables = self.db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for table in tables.fetchall():
            self.db.execute(f"DELETE FROM {table['name']}")  # noqa: S608
        self._read.clear()

    def insert(self, doc: Doc, account: str, parent: str | None = None) -> Doc:
        """Add a document under its id."""
        self.db.execute(
            "INSERT INTO docs (id, kind, account, parent, created, doc) VALUES (?, ?, ?, ?, ?, ?)",
            (doc["id"], doc["object"], account, parent, doc.get("created", 0), json.dumps(doc)),
        )
        self._read[doc["id"]] = doc
        return doc

    def save(self, doc: Doc, *, parent: str | None = None) -> Doc:
        """Write a changed document; `parent` moves it."""
        self.db.execute(
            "UPDATE docs SET doc = ?, parent = coalesce(?, parent) WHERE id = ?", (json.dumps(doc), parent, doc["id"])
        )
        self._read[doc["id"]] = doc
        return doc

    def delete(self, ident: str) -> None:
        """Remove a document."""
        self.db.execute("DELETE FROM docs WHERE id = ?", (ident,))
        self._read.pop(ident, None)

    def retire(self, doc: Doc) -> None:
        """Exclude a document from lists; it can still be read by id."""
        self.db.execute("UPDATE docs SET doc = ?, retired = 1 WHERE id = ?", (json.dumps(doc), doc["id"]))

    def get(self, ident: str, kind: str | None = None, account: str | None = None) -> Doc | None:
        """Return a document, or None when it is not of this kind or not of this account."""
        row = self.db.execute("SELECT id, kind, account, doc FROM docs WHERE id = ?", (ident,)).fetchone()
        if row is None or (kind and row["kind"] != kind) or (account and row["account"] != account):
            return None
        return self._loaded(row)

    def account_of(self, ident: str) -> str:
        """Return the account that owns a document."""
        row = self.db.execute("SELECT account FROM docs WHERE id = ?", (ident,)).fetchone()
        return str(row["account"])

    def seq_of(self, ident: str) -> int | None:
        """Return the place of a document in the order of creation."""
        row = self.db.execute("SELECT seq FROM docs WHERE id = ?", (ident,)).fetchone()
        return int(row["seq"]) if row else None

    def find(
        self,
        kind: str,
        *,
        account: str | None = None,
        parent: str | None = None,
        where: dict[str, Any] | None = None,
        conditions: tuple[tuple[str, Any], ...] = (),
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[Doc]:
        """Return documents of a kind; `where` compares values inside them, `conditions` are SQL on columns."""
        clauses: list[str] = ["kind = ?", "retired = 0"]
        values: list[Any] = [kind]
        for clause, value in (("account = ?", account), ("parent = ?", parent)):
            if value is not None:
                clauses.append(clause)
                values.append(value)
        for path, value in (where or {}).items():
            clauses.append("json_extract(doc, ?) IS ?")
            values += [f"$.{path}", value]
        for clause, value in conditions:
            clauses.append(clause)
            values.append(value)
        order = "DESC" if newest_first else "ASC"
        tail = f" LIMIT {int(limit)}" if limit is not None else ""
        # Only column names and operators of our own are joined into the text; every value is bound.
        sql = f"SELECT id, doc FROM docs WHERE {' AND '.join(clauses)} ORDER BY seq {order}{tail}"  # noqa: S608
        return [self._loaded(row) for row in self.db.execute(sql, values)]

    def _loaded(self, row: sqlite3.Row) -> Doc:
        doc = self._read.get(row["id"])
        if doc is None:
            doc = self._read[row["id"]] = json.loads(row["doc"])
        return doc

    def meta(self, name: str) -> Any:
        """Return a remembered value, or None."""
        row = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return json.loads(row["value"]) if row else None

    def remember(self, name: str, value: Any) -> None:
        """Remember a value under a name."""
        self.db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, json.dumps(value)),
        )


def _opened(path: Path | str, more_tables: str) -> sqlite3.Connection:
    # A program that runs the sandbox in its own process may call it from several threads, one at a time.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    # A killed process loses nothing that it wrote; only a power cut could, which a sandbox need not survive.
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _TABLES + more_tables)
    return db


def _lock(folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    handle = (folder / "lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise FolderRefused(f"{folder} is in use by another sandbox; name another folder with --data") from error
    return handle
