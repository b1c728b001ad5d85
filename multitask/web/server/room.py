"""The memory or disk that what waits for slow connections may hold."""

import threading
from collections import Counter
from typing import Final

# The share of the room that one network may take.
SHARE_OF_ONE: Final = 4


class NoRoom(Exception):
    """What waits for slow connections holds as much as it may."""


class Room:
    """So many bytes in all, and a share of that for each network. Threads and the event loop may use it at once."""

    def __init__(self, total_bytes: int) -> None:
        """Begin empty."""
        self._total = total_bytes
        self._most_of_one = max(1, total_bytes // SHARE_OF_ONE)
        self._lock = threading.Lock()
        self.taken = 0
        self._taken_by: Counter[str] = Counter()

    def take(self, network: str, size: int) -> None:
        """Take `size` bytes for a network. Raises NoRoom."""
        if not size:
            return
        with self._lock:
            if self.taken + size > self._total or self._taken_by[network] + size > self._most_of_one:
                raise NoRoom
            self.taken += size
            self._taken_by[network] += size

    def give_back(self, network: str, size: int) -> None:
        """Give back what was taken."""
        if not size:
            return
        with self._lock:
            self.taken -= size
            self._taken_by[network] -= size
            if not self._taken_by[network]:
                del self._taken_by[network]


class Share:
    """What one response has taken of a room for its network."""

    def __init__(self, room: Room, network: str) -> None:
        """Begin with nothing."""
        self._room, self._network, self._taken = room, network, 0

    def take(self, size: int) -> None:
        """Take `size` bytes more. Raises NoRoom."""
        self._room.take(self._network, size)
        self._taken += size

    def give_back(self) -> None:
        """Give back all of it; once is enough."""
        size, self._taken = self._taken, 0
        self._room.give_back(self._network, size)
