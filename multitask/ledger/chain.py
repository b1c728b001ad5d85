"""The hash chain over the ledger's transactions: whatever is changed behind its head is found.

A link covers up to `BATCH` transactions in the order of their ids, which begin with the millisecond of the posting
(UUID version 7). It keeps the SHA-256 of each of them in a canonical form, and its own hash is the SHA-256 of the
previous link's hash and of what it keeps. So nobody can change an old transaction, remove one or add one without
changing every later hash, and the hash of the head is published every day (docs/proof.md).

Postings know nothing of the chain. A job appends links for transactions that are closed: no posting that is still
to be committed can come before them (`closed_until`). The transactions are hashed here and not in the database,
whose functions whoever rewrites its tables could replace too.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from django.db import connection

from multitask import database
from multitask.ledger import reading

BATCH: Final = 1000
# A standby that takes over may have a clock that is behind, by less than this: its postings come after the head too.
LAG: Final = timedelta(minutes=1)
# How many links one run of the job appends at most.
LINKS_PER_RUN: Final = 200
_HASH_BYTES: Final = 32
_LINKS_READ_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Link:
    """One link. `transactions` is how many this link and all before it cover; a digest is 32 bytes."""

    number: int
    last_transaction: UUID
    transactions: int
    digests: tuple[bytes, ...]
    hash: bytes


# What the first link follows: nothing.
GENESIS: Final = Link(0, UUID(int=0), 0, (), bytes(_HASH_BYTES))


def head() -> Link:
    """Return the newest link, GENESIS if there is none."""
    return next(_links("ORDER BY number DESC LIMIT 1", []), GENESIS)


def link(number: int) -> Link:
    """Return a link, GENESIS if there is no such link."""
    return next(_links("WHERE number = %s", [number]), GENESIS)


def hash_of(number: int) -> bytes | None:
    """Return the hash of a link, None if there is no such link."""
    if number == GENESIS.number:
        return GENESIS.hash
    rows = _rows("SELECT hash FROM ledger_link WHERE number = %s", [number])
    return bytes(rows[0][0]) if rows else None


def extend(*, until: datetime | None = None, most_links: int = LINKS_PER_RUN) -> int:
    """Append links for closed transactions; return how many transactions they cover.

    Covers those that were posted before `until`, by default all that are older than LAG, at most `most_links` links.
    Several calls may run at once: of two links with the same number one is appended.
    """
    bound = _bound(until)
    covered = 0
    for _ in range(most_links):
        added = database.run(lambda: _append(bound))
        covered += added
        if added < BATCH:
            break
    return covered


def is_behind(*, until: datetime | None = None) -> bool:
    """Return whether `extend` has transactions to cover, by one look into the index of their ids."""
    head = "(SELECT last_transaction FROM ledger_link ORDER BY number DESC LIMIT 1)"
    ((found,),) = _rows(
        f"SELECT EXISTS (SELECT FROM ledger_transaction WHERE id > coalesce({head}, %s) AND id < %s)",  # noqa: S608
        [GENESIS.last_transaction, _bound(until)],
    )
    return bool(found)


def _bound(until: datetime | None) -> UUID:
    """Return the id before which `extend` covers all transactions."""
    closed = reading.closed_until()
    return _first_id_at(min(closed, until) if until is not None else closed - LAG)


def _first_id_at(moment: datetime) -> UUID:
    """Return an id before all those of transactions that are posted from the millisecond of `moment` on."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def _append(bound: UUID) -> int:
    """Append one link for the first transactions that have none; return how many it covers, 0 if there are none."""
    previous = head()
    found = _digests(previous.last_transaction, bound, BATCH)
    if not found:
        return 0
    link = _link_after(previous, found)
    appended = _rows(
        """
        INSERT INTO ledger_link (number, last_transaction, transactions, digests, hash)
        VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING number
        """,
        [link.number, link.last_transaction, link.transactions, b"".join(link.digests), link.hash],
    )
    return len(found) if appended else 0


def _link_after(previous: Link, found: Sequence[tuple[UUID, bytes]]) -> Link:
    last, digests = found[-1][0], tuple(digest for _, digest in found)
    number, transactions = previous.number + 1, previous.transactions + len(found)
    return Link(number, last, transactions, digests, _hash(previous.hash, number, last, transactions, digests))


def _hash(previous: bytes, number: int, last: UUID, transactions: int, digests: Sequence[bytes]) -> bytes:
    numbers = number.to_bytes(8, "big") + last.bytes + transactions.to_bytes(8, "big")
    return sha256(previous + numbers + b"".join(digests)).digest()


def verify(*, first: int = 1, last: int | None = None) -> Iterator[str]:
    """Yield one sentence for each way in which the chain and the books differ, from link `first` to link `last`.

    The first names the first broken link. The link before `first` is trusted. Reads one link at a time.
    """
    previous = link(first - 1)
    for each in links(first, last):
        if each.number != previous.number + 1:
            yield f"link {previous.number + 1} is missing"
        elif each.hash != _hash(previous.hash, each.number, each.last_transaction, each.transactions, each.digests):
            yield f"link {each.number} is not what it was: its hash does not follow from link {previous.number}"
        yield from _differences(previous.last_transaction, each)
        previous = each


def _differences(after: UUID, link: Link) -> Iterator[str]:
    """Compare the transactions of a link with those that are in the books in its place."""
    # More than the link has, so that added ones are named; not all, since there may be any number of them.
    found = _digests(after, _next(link.last_transaction), len(link.digests) + BATCH)
    if tuple(digest for _, digest in found) == link.digests:
        return
    name = f"link {link.number}, of the transactions up to {link.last_transaction}, differs from the books"
    known = set(link.digests)
    strange = [number for number, digest in found if digest not in known]
    missing = len(known - {digest for _, digest in found})
    for number in strange[:BATCH]:
        yield f"{name}: transaction {number} is not as it was chained"
    if len(strange) < missing:
        yield f"{name}: it had {len(link.digests)} transactions, {missing - len(strange)} of them are gone"
    elif not strange:
        yield f"{name}: its transactions are not in the order in which they were chained"


def _next(number: UUID) -> UUID:
    return UUID(int=number.int + 1)


def links(first: int, last: int | None) -> Iterator[Link]:
    """Yield the links from one number to another, both included, a few at a time."""
    while True:
        found = list(
            _links(
                "WHERE number >= %s AND number <= coalesce(%s::bigint, number) ORDER BY number LIMIT %s",
                [first, last, _LINKS_READ_AT_ONCE],
            )
        )
        yield from found
        if len(found) < _LINKS_READ_AT_ONCE:
            return
        first = found[-1].number + 1


def _links(condition: str, parameters: Sequence[Any]) -> Iterator[Link]:
    rows = _rows(
        f"SELECT number, last_transaction, transactions, digests, hash FROM ledger_link {condition}",  # noqa: S608
        parameters,
    )
    for number, last, transactions, digests, own in rows:
        kept = bytes(digests)
        parts = tuple(kept[at : at + _HASH_BYTES] for at in range(0, len(kept), _HASH_BYTES))
        yield Link(number, last, transactions, parts, bytes(own))


# Moments are read as seconds since 1970 with all decimals, so that no setting of a session changes how they look.
_HEADERS: Final = """
SELECT id, kind, scope, key, encode(request_hash, 'hex'), legs, extract(epoch FROM effective_at)::text,
       extract(epoch FROM created_at)::text, reverses::text, description, details::text
  FROM ledger_transaction WHERE id > %s AND id < %s ORDER BY id LIMIT %s
"""
_ENTRIES: Final = """
SELECT entry.transaction_id, entry.position, account.code, entry.currency, entry.shard, entry.sequence,
       entry.amount_minor, entry.balance_after_minor, extract(epoch FROM entry.created_at)::text
  FROM ledger_entry entry
  LEFT JOIN LATERAL (SELECT code FROM ledger_account known WHERE known.id = entry.account_id OFFSET 0) account ON true
 WHERE entry.transaction_id > %s AND entry.transaction_id <= %s ORDER BY entry.transaction_id, entry.position
"""


def _digests(after: UUID, before: UUID, limit: int) -> list[tuple[UUID, bytes]]:
    """Return id and digest of the first `limit` transactions between two ids, in order."""
    headers = _rows(_HEADERS, [after, before, limit])
    if not headers:
        return []
    entries: dict[UUID, list[Sequence[Any]]] = {number: [] for number, *_ in headers}
    for number, *entry in _rows(_ENTRIES, [after, headers[-1][0]]):
        if number in entries:
            entries[number].append(entry)
    return [(number, digest(str(number), header, entries[number])) for number, *header in headers]


def digest(number: str, header: Sequence[Any], entries: Sequence[Sequence[Any]]) -> bytes:
    """Return the SHA-256 of a transaction in its canonical form: a JSON list of header and entries, without spaces.

    `header` is kind, scope, key, request hash, number of legs, effective and posted at, reversed transaction,
    description, details; an entry is position, account, currency, shard, sequence, amount, balance after it, posted at.
    """
    canonical = json.dumps([number, *header, list(entries)], separators=(",", ":"), ensure_ascii=False)
    return sha256(canonical.encode()).digest()


def _rows(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement on the primary."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
