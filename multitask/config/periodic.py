"""Defers the periodic jobs; ticks that were missed count once, and a clock that is set back stops nothing.

Procrastinate defers one job for each missed tick, one by one, and nothing while the clock shows an earlier time than
the last tick. After a suspended machine or a clock step, releases and settlements would wait for hours.
"""

import math
import time
from collections.abc import Iterator
from typing import Any, Final

import procrastinate
import structlog
from procrastinate.periodic import PeriodicDeferrer, PeriodicTask

# Clocks of several workers differ by less; a tick so far ahead was deferred before the clock was set back.
AHEAD_SECONDS: Final = 60

_FORGET: Final = "DELETE FROM procrastinate_periodic_defers WHERE defer_timestamp > %(latest)s"

log = structlog.get_logger(__name__)


class PeriodicJobs(PeriodicDeferrer):
    """Defers each periodic job at most once per look."""

    def __init__(self, app: procrastinate.App) -> None:
        """Take the periodic tasks and the connection of an app."""
        super().__init__(registry=app.periodic_registry, **app.periodic_defaults)
        self._app = app
        self._looked_at: float | None = None

    async def worker(self) -> None:
        """Defer what is due whenever something falls due."""
        while True:
            now = time.time()
            await self.defer_due(at=now)
            await self.wait(next_tick=self.get_next_tick(at=now))

    async def defer_due(self, *, at: float) -> None:
        """Defer every job of which a tick has passed since the last look."""
        if self._looked_at is None or at < self._looked_at:
            await self._forget_ticks_ahead(at)
        self._looked_at = at
        await self.defer_jobs(self.get_previous_tasks(at=at))

    async def _forget_ticks_ahead(self, at: float) -> None:
        """Let ticks that the clock has yet to reach, again, be deferred when it does; at the start as well."""
        if self._looked_at is not None:
            log.warning("clock_set_back", seconds=round(self._looked_at - at, 3))
        await self._app.connector.execute_query_async(query=_FORGET, latest=math.floor(at) + AHEAD_SECONDS)
        for key, last in self.last_defers.items():
            if last > at:
                periodic_task = self.registry.periodic_tasks[key]
                # One tick back, so that the tick just before the new time is due at once.
                self.last_defers[key] = self._latest_tick(periodic_task, at) - 1

    def get_previous_tasks(self, at: float) -> Iterator[tuple[PeriodicTask[Any, Any, Any], int]]:
        """Give each job of which ticks have passed, with the latest of them."""
        for key, periodic_task in self.registry.periodic_tasks.items():
            tick, last = self._latest_tick(periodic_task, at), self.last_defers.get(key)
            # At the start nobody knows what has run: a tick of long ago is left alone, as procrastinate does.
            is_due = tick > last if last is not None else at - tick <= self.max_delay
            self.last_defers[key] = tick if last is None else max(last, tick)
            if is_due:
                yield periodic_task, tick

    def _latest_tick(self, periodic_task: PeriodicTask[Any, Any, Any], at: float) -> int:
        """The tick at or before a time; ticks fall on whole seconds, and the library looks strictly before."""
        iterator = periodic_task.croniter
        iterator.set_current(start_time=math.floor(at) + 1)
        tick: float = iterator.get_prev(ret_type=float)
        return round(tick)
