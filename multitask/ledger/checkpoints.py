"""The checkpoints of the incremental proof: how far the books were proven.

A checkpoint names a link of the hash chain, with its hash, so it stands for every transaction, entry and running
balance up to there: the chain covers them all. Its own hash follows from the checkpoint before. It is written in one
statement once all of it was proven, so a proof that was stopped halfway leaves nothing behind.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from django.db import connection

from multitask import database
from multitask.ledger import chain

# How many of the newest checkpoints an incremental proof verifies.
RECENT: Final = 50
_READ_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was proven: the transactions up to `link`. `reread` is the last link that was read again."""

    number: int
    link: int
    link_hash: bytes
    transactions: int
    reread: int
    hash: bytes


# What the first checkpoint follows: nothing was proven.
START: Final = Checkpoint(0, 0, chain.GENESIS.hash, 0, 0, bytes(32))


def newest() -> Checkpoint:
    """Return the newest checkpoint, START if there is none."""
    return next((found for found, _ in _read("ORDER BY number DESC LIMIT 1", [])), START)


def add(previous: Checkpoint, link: chain.Link, *, reread: int) -> Checkpoint:
    """Write the checkpoint that follows `previous`; return the one that follows it.

    Of two proofs at once one writes it, and what it states is true for both: the other goes on from there.
    """
    number = previous.number + 1
    own = _hash(previous.hash, number, link.number, link.hash, link.transactions, reread)
    added = Checkpoint(number, link.number, link.hash, link.transactions, reread, own)
    database.run(lambda: _insert(added))
    return next(found for found, _ in _read("WHERE number = %s", [number]))


def _insert(added: Checkpoint) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ledger_checkpoint (number, link, link_hash, transactions, reread, hash)
            VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [added.number, added.link, added.link_hash, added.transactions, added.reread, added.hash],
        )


def violations(*, first: int = 1) -> Iterator[str]:
    """Yield one sentence for each checkpoint from `first` on that is not as it was written or not as the chain is.

    The checkpoint before `first` is trusted. Reads some at a time.
    """
    previous = next((found for found, _ in _read("WHERE number = %s", [first - 1])), START)
    while True:
        found = _read("WHERE number > %s ORDER BY number LIMIT %s", [previous.number, _READ_AT_ONCE])
        for checkpoint, link_hash in found:
            if checkpoint.number != previous.number + 1:
                yield f"checkpoint {previous.number + 1} is missing"
            elif checkpoint.hash != _hash(
                previous.hash,
                checkpoint.number,
                checkpoint.link,
                checkpoint.link_hash,
                checkpoint.transactions,
                checkpoint.reread,
            ):
                yield f"checkpoint {checkpoint.number} is not what it was"
            if link_hash != checkpoint.link_hash:
                yield f"checkpoint {checkpoint.number} was written for another link {checkpoint.link} than there is now"
            previous = checkpoint
        if len(found) < _READ_AT_ONCE:
            return


def _hash(previous: bytes, number: int, link: int, link_hash: bytes, transactions: int, reread: int) -> bytes:
    numbers = b"".join(each.to_bytes(8, "big", signed=True) for each in (number, link, transactions, reread))
    return sha256(previous + numbers + link_hash).digest()


def _read(condition: str, parameters: Sequence[Any]) -> list[tuple[Checkpoint, bytes | None]]:
    """Return checkpoints, each with the hash that its link has now, None if there is no such link."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT number, link, link_hash, transactions, reread, hash,
                   (SELECT hash FROM ledger_link WHERE ledger_link.number = link)
              FROM ledger_checkpoint {condition}
            """,  # noqa: S608
            parameters,
        )
        return [
            (
                Checkpoint(number, link, bytes(kept), transactions, reread, bytes(own)),
                None if now is None else bytes(now),
            )
            for number, link, kept, transactions, reread, own, now in cursor.fetchall()
        ]
