"""Ids and secrets: unique for the life of the data folder, reproducible for the same seed and order of calls."""

from __future__ import annotations

import hashlib
import string
import uuid

from sandboxes.kit.store import Store

_LETTERS = string.digits + string.ascii_letters


class Identifiers:
    """Derives ids from the seed and a counter that is committed with the object."""

    def __init__(self, store: Store, seed: str) -> None:
        self._store = store
        self._seed = seed

    def new(self, prefix: str, length: int = 24) -> str:
        """Return `prefix` followed by `length` letters and digits."""
        count = int(self._store.meta("ids") or 0) + 1
        self._store.remember("ids", count)
        return prefix + letters(f"{self._seed}:{count}", length)

    def number(self, sequence: str, first: int) -> int:
        """Return the next whole number of a sequence that begins with `first`."""
        count = int(self._store.meta(f"numbers.{sequence}") or 0)
        self._store.remember(f"numbers.{sequence}", count + 1)
        return first + count

    def uuid(self) -> str:
        """Return a random-looking UUID of version 4."""
        digest = hashlib.sha256(self.new("uuid:").encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))


def letters(source: str, length: int) -> str:
    """Return letters and digits derived from the source text."""
    number = int.from_bytes(hashlib.sha512(source.encode()).digest(), "big")
    drawn = []
    for _ in range(length):
        number, place = divmod(number, len(_LETTERS))
        drawn.append(_LETTERS[place])
    return "".join(drawn)


def fraction(source: str) -> float:
    """Return a number from 0 up to 1 derived from the source text."""
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:7], "big") / 2**56
