"""The lanes of the worker: each kind of job has its own queue and threads, so that none starves another."""

from typing import Final

CHORES: Final = "chores"
OPERATIONS: Final = "operations"
# Every queue has one thread; the remaining threads are distributed by these shares. `polls`, `statements` and `newest`
# always have one thread: more would only request the same objects from the provider at the same time. So has
# `maintenance`, whose jobs take minutes on large books, so no other job waits behind them.
QUEUES: Final = (
    CHORES,
    "deadlines",
    "polls",
    "maintenance",
    "statements",
    "newest",
    "emails",
    "operations",
    "webhooks",
)
SHARES: Final = {CHORES: 1, "emails": 1, "webhooks": 3}
# The share of `operations`, unless a setting says how many threads they have.
CALLS: Final = 4
FEWEST: Final = len(QUEUES)


def shares(threads: int, operations: int | None = None) -> dict[str, int]:
    """Return the number of threads per queue: at least one each, so at least `FEWEST` threads in all.

    `operations` is how many calls wait for the provider beside each other, as far as there are threads.
    """
    rest = max(threads, FEWEST) - FEWEST
    if operations is None:
        calls = rest * CALLS // (CALLS + sum(SHARES.values()))
    else:
        calls = min(operations - 1, rest)
    left = rest - calls
    more = {queue: left * share // sum(SHARES.values()) for queue, share in SHARES.items()}
    more["webhooks"] += left - sum(more.values())
    return {queue: 1 + {**more, OPERATIONS: calls}.get(queue, 0) for queue in QUEUES}
