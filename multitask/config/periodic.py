"""Defer the periodic jobs that have work to do: missed ticks count once, and jobs continue if the clock is set back.

Procrastinate itself defers one job for each missed tick, and none while the clock is before the last tick. After the
machine was suspended or its clock was set back, releases and settlements would be late by hours.

Most periodic jobs find nothing to do most of the time. `multitask.due` says by a query whether one has work; without
work nothing is written. The query runs in the job's own lane, so a slow one delays no other lane. Any number of workers
may look: a tick is deferred once.
"""

import functools
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import connection
from django.db.utils import IntegrityError
from django.utils import timezone
from procrastinate import App
from procrastinate.periodic import PeriodicTask

from multitask.database.errors import is_unavailable

# The clocks of several workers differ by less. A tick further ahead was deferred before the clock was set back.
AHEAD_SECONDS: Final = 60
# At the start it is unknown which jobs have run; a tick of longer ago is ignored.
LONG_AGO_SECONDS: Final = 600
PAUSE_SECONDS: Final = 1.0
# Woken a little after a tick, never before it.
MARGIN_SECONDS: Final = 0.05

_FORGET: Final = "DELETE FROM procrastinate_periodic_defers WHERE defer_timestamp > %s"
_DEFER: Final = "SELECT procrastinate_defer_periodic_job_v2(%s, NULL, %s, %s, %s, %s, %s, %s)"

Check = Callable[[datetime], bool]
# A lane, the name of a task, and what to do.
Begin = Callable[[str, str, Callable[[], None]], None]
# The name of a task, and of one of its schedules.
Key = tuple[str, str]
log = structlog.get_logger(__name__)


class PeriodicJobs:
    """Defer each periodic job at most once per check; `due` has the checks of jobs that may have nothing to do.

    `begin` runs a function in a lane, unless the one with the same name is under way there.
    """

    def __init__(self, app: App, due: Mapping[str, Check], begin: Begin | None = None) -> None:
        """Use the periodic tasks of an app. Without `begin` everything happens in the caller's thread."""
        self._tasks = app.periodic_registry.periodic_tasks
        self._due = due
        self._begin = begin or (lambda _lane, _name, work: work())
        self._last: dict[Key, int] = {}
        self._looked_at: float | None = None

    def run(self, stopping: threading.Event) -> None:
        """Defer due jobs until stopped, waking up at each tick."""
        while not stopping.is_set():
            now = time.time()
            try:
                self.defer_due(at=now)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("periodic_jobs_put_off", fault=type(error).__name__)
                connection.close()
                stopping.wait(PAUSE_SECONDS)
            else:
                stopping.wait(self._seconds_to_next_tick(now))

    def defer_due(self, *, at: float) -> None:
        """Defer every job that has had a tick since the last look and has work."""
        if self._looked_at is None or at < self._looked_at:
            self._forget_ticks_ahead(at)
        self._looked_at = at
        for key, tick in self._ticks(at):
            self._last[key] = max(self._last.get(key, tick), tick)
            task = self._tasks[key].task
            self._begin(task.queue, task.name, functools.partial(self._look, key, tick))

    def _look(self, key: Key, tick: int) -> None:
        """Defer a job for a tick if it has work. If the database is lost, the tick is looked at again."""
        try:
            if self._has_work(key):
                _defer(self._tasks[key], tick)
        except Exception as error:
            if not is_unavailable(error):
                raise
            log.warning("periodic_job_put_off", task=key[0], fault=type(error).__name__)
            connection.close()
            self._last[key] = tick - 1

    def _has_work(self, key: Key) -> bool:
        check = self._due.get(key[0])
        if check is None:
            return True
        try:
            return check(timezone.now())
        except Exception as error:
            if is_unavailable(error):
                raise
            # The job itself meets the same error, where it is seen.
            log.exception("periodic_job_not_checked", task=key[0])
            return True

    def _forget_ticks_ahead(self, at: float) -> None:
        """Forget ticks that are in the future, so that they are deferred again when they come; also at the start."""
        if self._looked_at is not None:
            log.warning("clock_set_back", seconds=round(self._looked_at - at, 3))
        with connection.cursor() as cursor:
            cursor.execute(_FORGET, [math.floor(at) + AHEAD_SECONDS])
        for key, last in self._last.items():
            if last > at:
                # One second before the latest tick, so that this tick is due now.
                self._last[key] = _latest_tick(self._tasks[key], at) - 1

    def _ticks(self, at: float) -> Iterator[tuple[Key, int]]:
        """Yield each job that has had ticks since the last look, with the latest tick."""
        for key, periodic_task in self._tasks.items():
            tick, last = _latest_tick(periodic_task, at), self._last.get(key)
            if last is None and at - tick > LONG_AGO_SECONDS:
                self._last[key] = tick
            elif last is None or tick > last:
                yield key, tick

    def _seconds_to_next_tick(self, at: float) -> float:
        ticks: list[float] = [each.croniter.get_next(ret_type=float, start_time=at) for each in self._tasks.values()]
        return max(0.0, min(ticks) - time.time()) + MARGIN_SECONDS


def _latest_tick(periodic_task: PeriodicTask[Any, Any, Any], at: float) -> int:
    """Return the tick at or before a time. Ticks are at whole seconds; the library looks strictly before a time."""
    iterator = periodic_task.croniter
    iterator.set_current(start_time=math.floor(at) + 1)
    tick: float = iterator.get_prev(ret_type=float)
    return round(tick)


def _defer(periodic_task: PeriodicTask[Any, Any, Any], tick: int) -> None:
    """Defer a job for a tick, unless another worker has, or one waits already."""
    task = periodic_task.task
    values = [task.queue, task.queueing_lock, task.name, task.priority, periodic_task.periodic_id, tick]
    try:
        with connection.cursor() as cursor:
            cursor.execute(_DEFER, [*values, json.dumps({"timestamp": tick})])
    except IntegrityError:
        log.debug("periodic_job_waits_already", task=task.name)
