"""Defer the periodic jobs: missed ticks are deferred once, and jobs continue if the clock is set back.

Procrastinate itself defers one job for each missed tick, and none while the clock is before the last tick. After the
machine was suspended or its clock was set back, releases and settlements would be late by hours.
"""

import math
import time
from collections.abc import Iterator
from typing import Any, Final

import procrastinate
import structlog
from procrastinate.periodic import PeriodicDeferrer, PeriodicTask

# The clocks of several workers differ by less. A tick further ahead was deferred before the clock was set back.
AHEAD_SECONDS: Final = 60

_FORGET: Final = "DELETE FROM procrastinate_periodic_defers WHERE defer_timestamp > %(latest)s"

log = structlog.get_logger(__name__)


class PeriodicJobs(PeriodicDeferrer):
    """Defer each periodic job at most once per check."""

    def __init__(self, app: procrastinate.App) -> None:
        """Use the periodic tasks and the connection of an app."""
        super().__init__(registry=app.periodic_registry, **app.periodic_defaults)
        self._app = app
        self._looked_at: float | None = None

    async def worker(self) -> None:
        """Defer due jobs, forever, waking up at each tick."""
        while True:
            now = time.time()
            await self.defer_due(at=now)
            await self.wait(next_tick=self.get_next_tick(at=now))

    async def defer_due(self, *, at: float) -> None:
        """Defer every job that has had a tick since the last check."""
        if self._looked_at is None or at < self._looked_at:
            await self._forget_ticks_ahead(at)
        self._looked_at = at
        await self.defer_jobs(self.get_previous_tasks(at=at))

    async def _forget_ticks_ahead(self, at: float) -> None:
        """Forget ticks that are in the future, so that they are deferred again when they come; also at the start."""
        if self._looked_at is not None:
            log.warning("clock_set_back", seconds=round(self._looked_at - at, 3))
        await self._app.connector.execute_query_async(query=_FORGET, latest=math.floor(at) + AHEAD_SECONDS)
        for key, last in self.last_defers.items():
            if last > at:
                periodic_task = self.registry.periodic_tasks[key]
                # One second before the latest tick, so that this tick is due now.
                self.last_defers[key] = self._latest_tick(periodic_task, at) - 1

    def get_previous_tasks(self, at: float) -> Iterator[tuple[PeriodicTask[Any, Any, Any], int]]:
        """Yield each job that has had ticks since the last check, with the latest tick."""
        for key, periodic_task in self.registry.periodic_tasks.items():
            tick, last = self._latest_tick(periodic_task, at), self.last_defers.get(key)
            # At the start it is unknown which jobs have run: like procrastinate, ignore a tick of long ago.
            is_due = tick > last if last is not None else at - tick <= self.max_delay
            self.last_defers[key] = tick if last is None else max(last, tick)
            if is_due:
                yield periodic_task, tick

    def _latest_tick(self, periodic_task: PeriodicTask[Any, Any, Any], at: float) -> int:
        """Return the tick at or before a time. Ticks are at whole seconds; the library looks strictly before a time."""
        iterator = periodic_task.croniter
        iterator.set_current(start_time=math.floor(at) + 1)
        tick: float = iterator.get_prev(ret_type=float)
        return round(tick)
