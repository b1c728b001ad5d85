"""The points of a program at which its process may die or another task may continue.

A running story observes them; without an observer they have no effect.
"""

from collections.abc import Callable

BEFORE_COMMIT = "before commit"
AFTER_COMMIT = "after commit"
# A statement that is a transaction by itself.
BEFORE_WRITE = "before write"
AFTER_WRITE = "after write"
BEFORE_CALL = "before call"
UNDER_WAY = "under way"
AFTER_EFFECT = "after effect"

# The outcomes of a COMMIT besides success and a crash.
NOT_COMMITTED = "not committed"
UNHEARD = "committed, and not heard of"
PRETENDED = "said to be committed"

Observer = Callable[[str], str]
_observer: Observer | None = None
# Counts statements about jobs, so that the queue need not be read while nothing has changed.
jobs_changed = 0


def observe(observer: Observer | None) -> None:
    """Call `observer` at every point; it returns the outcome of a commit, or an empty string."""
    global _observer
    _observer = observer


def job_changed() -> None:
    """Record a change of the queue."""
    global jobs_changed
    jobs_changed += 1


def reach(point: str) -> str:
    """Call the observer for a point. Raises whatever the observer raises."""
    return _observer(point) if _observer else ""
