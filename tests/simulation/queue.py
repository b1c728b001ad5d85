"""The workers: jobs from the queue's table in an order drawn from the seed, and periodic jobs."""

import json
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.utils import timezone

from multitask import jobs
from multitask.database.jobs import defer
from multitask.users import account_emails
from multitask.webhooks import statement
from tests.simulation import interruptions
from tests.simulation.clock import BEGIN
from tests.simulation.conditions import DAY, HOUR, MINUTE

# What a worker does by the clock, and every so many seconds.
CHORES: dict[str, float] = {
    "sweep_operations": 5,
    "make_due_available": MINUTE,
    "make_adjustments_available": MINUTE,
    "move_to_successors": MINUTE,
    "release_silent": MINUTE,
    "close_unfunded": MINUTE,
    "cancel_left_open": HOUR,
    "accept_silent": MINUTE,
    "sweep_webhooks": 10,
    "process_newest": 5,
    "refresh_open": MINUTE,
    "collect_notices": 5,
    "sweep_emails": MINUTE,
    "remind_clients": 10 * MINUTE,
    "check_books": HOUR,
    "queue_statements": 10,
    "allot_budgets": MINUTE,
    "compare_budgets": 5 * MINUTE,
}
# What moves no money is done in some of the stories.
BESIDES = frozenset({"collect_notices", "sweep_emails", "remind_clients", "check_books"})
# Reading the provider's statement costs much; it is done where money moves without us, and where `BESIDES` are.
STATEMENT = frozenset({"queue_statements"})
# Only accounts that have ended have successors.
MOVES = frozenset({"move_to_successors"})
# Only a platform route pays out of a budget.
BUDGETS = frozenset({"allot_budgets", "compare_budgets"})
RARE = {
    "queue_statements": HOUR,
    "compare_budgets": HOUR,
    "collect_notices": 6 * HOUR,
    "sweep_emails": 12 * HOUR,
    "remind_clients": DAY,
    "check_books": DAY,
}
# How often a chore is done before it is calm, for those that cost more than others.
OFTEN = {"refresh_open": 0.4, "queue_statements": 0.5, "make_due_available": 0.6, "process_newest": 0.6}
# A worker reports every ten seconds; one that is silent for three times as long is gone.
STALLED_AFTER = 30.0

Row = tuple[str, str, dict[str, Any]]


class Queue:
    """The queue as the workers of one story see it."""

    def __init__(self, left_out: frozenset[str]) -> None:
        self._seen = -1
        self._waiting: list[tuple[int, str, float]] = []
        self._under_way: dict[int, Row] = {}
        self._stalled: list[tuple[float, Row]] = []
        self._chores = {name: RARE.get(name, every) for name, every in CHORES.items() if name not in left_out}
        # The workers have been up since the story began, so no tick before the first one that they work off is lost.
        self._ran: dict[str, float] = dict.fromkeys(self._chores, BEGIN)
        # Whether the statement is not read at the moment.
        self.is_statement_off = False

    @property
    def chores_done(self) -> frozenset[str]:
        """The chores that the workers of this story do."""
        return frozenset(self._chores)

    def _read(self) -> list[tuple[int, str, float]]:
        if self._seen != interruptions.jobs_changed:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT id, task_name, coalesce(extract(epoch FROM scheduled_at), 0)::float"
                    "  FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"
                )
                self._waiting = cursor.fetchall()
            self._seen = interruptions.jobs_changed
        return self._waiting

    def due(self, now: float) -> list[tuple[int, str, float]]:
        """Return the jobs that may start now, by our clock."""
        return [row for row in self._read() if row[2] <= now]

    def next_due(self) -> float | None:
        """Return when the next job may start, by our clock."""
        return min((row[2] for row in self._read()), default=None)

    def take(self, job_id: int) -> Callable[[], object]:
        """Take a job from the table; return what it does."""
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM procrastinate_jobs WHERE id = %s RETURNING queue_name, task_name, args", [job_id]
            )
            queue, name, arguments = cursor.fetchone()
        arguments = arguments if isinstance(arguments, dict) else json.loads(arguments)
        self._under_way[job_id] = (queue, name, arguments)
        function = getattr(jobs, name)
        if name == "send_letter":
            # Its row, which would be marked, is gone; `revive` does not bring it back.
            return lambda: account_emails.send(**arguments, now=timezone.now())
        if name == "read_statement":
            # Nor does the simulation count how often a job was taken, so one that is repeated waits for its claim.
            return lambda: statement.read_due(**arguments, is_repeated=False, now=timezone.now())
        return lambda: function(**arguments)

    def left(self, job_id: int, now: float) -> None:
        """Record that a worker died during a job."""
        self._stalled.append((now + STALLED_AFTER, self._under_way.pop(job_id)))

    def revive(self, now: float) -> None:
        """Retry jobs of dead workers, as the periodic job does; letters are not sent twice."""
        for stalled in [one for one in self._stalled if one[0] <= now]:
            self._stalled.remove(stalled)
            queue, name, arguments = stalled[1]
            if name != "send_letter":
                defer(name, queue=queue, **arguments)

    def next_revival(self) -> float | None:
        """Return the true moment at which the next of these jobs runs again."""
        return min((at for at, _ in self._stalled), default=None)

    # -- chores

    def overdue(self, now: float) -> list[str]:
        """Return the chores whose time has come, by the true moment."""
        off = STATEMENT if self.is_statement_off else ()
        return [name for name, every in self._chores.items() if self._ran[name] + every <= now and name not in off]

    def chore(self, name: str, now: float, ours: float) -> Callable[[], object]:
        """Begin a chore; return what it does. Missed ticks count as one, which carries the earliest."""
        earliest = self._ran[name] + self._chores[name]
        self._ran[name] = now
        function: Any = getattr(jobs, name)
        tick = int(min(ours, earliest + (ours - now)))
        return lambda: function(timestamp=tick)
