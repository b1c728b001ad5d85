"""Limits on the memory and disk space that slow connections may use."""

import threading
from collections import Counter
from typing import Final

# One network may take this fraction of the budget: a quarter.
SHARE_OF_ONE: Final = 4


class BufferFull(Exception):
    """The budget, or the share of one network, is used up."""


class BufferBudget:
    """A budget of bytes, in total and per network. Safe to use from threads and the event loop."""

    def __init__(self, total_bytes: int) -> None:
        """Start empty."""
        self._total = total_bytes
        self._most_of_one = max(1, total_bytes // SHARE_OF_ONE)
        self._lock = threading.Lock()
        self.taken = 0
        self._taken_by: Counter[str] = Counter()

    def take(self, network: str, size: int) -> None:
        """Take `size` bytes for a network. Raises BufferFull."""
        if not size:
            return
        with self._lock:
            if self.taken + size > self._total or self._taken_by[network] + size > self._most_of_one:
                raise BufferFull
            self.taken += size
            self._taken_by[network] += size

    def give_back(self, network: str, size: int) -> None:
        """Release `size` bytes of a network."""
        if not size:
            return
        with self._lock:
            self.taken -= size
            self._taken_by[network] -= size
            if not self._taken_by[network]:
                del self._taken_by[network]


class Share:
    """The bytes that one response has taken from a budget."""

    def __init__(self, budget: BufferBudget, network: str) -> None:
        """Start with no bytes taken."""
        self._budget, self._network, self._taken = budget, network, 0

    def take(self, size: int) -> None:
        """Take `size` bytes more. Raises BufferFull."""
        self._budget.take(self._network, size)
        self._taken += size

    def give_back(self) -> None:
        """Release everything that was taken; further calls have no effect."""
        size, self._taken = self._taken, 0
        self._budget.give_back(self._network, size)
