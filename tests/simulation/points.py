"""The points of a program at which its process may die, or another one may go on.

Whoever plays a story observes them; without an observer nothing happens there.
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

# What may become of a COMMIT besides a crash.
NOT_COMMITTED = "not committed"
UNHEARD = "committed, and not heard of"
PRETENDED = "said to be committed"

Observer = Callable[[str], str]
_observer: Observer | None = None
# Counts the statements about jobs, so that nobody has to ask the database whether there are others.
jobs_changed = 0


def observe(observer: Observer | None) -> None:
    """Let `observer` be called at every point; it returns what becomes of a commit, or nothing."""
    global _observer
    _observer = observer


def job_changed() -> None:
    """Somebody did something to the queue."""
    global jobs_changed
    jobs_changed += 1


def reach(point: str) -> str:
    """Be at a point. Raises whatever the observer raises."""
    return _observer(point) if _observer else ""
