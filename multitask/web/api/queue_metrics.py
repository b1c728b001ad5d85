"""What waits in the queue, for Prometheus: read from the database when the figures are asked for.

All web processes show the same figures. Each query is answered by an index on what waits, whatever has been done.
"""

from collections.abc import Iterator
from typing import Any, Final

import structlog
from django.db import Error, connection
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from multitask.database import jobs

log = structlog.get_logger(__name__)

# A job without a time is due since it was deferred, and the first of them is the oldest.
_QUEUES: Final = """
WITH waiting AS (
    SELECT queue_name, count(*) AS jobs,
           min(id) FILTER (WHERE scheduled_at IS NULL) AS first_id,
           min(scheduled_at) FILTER (WHERE scheduled_at <= now()) AS scheduled_at
      FROM procrastinate_jobs WHERE status = 'todo' AND queue_name >= '' GROUP BY queue_name
), due AS (
    SELECT queue_name, jobs, least(scheduled_at, (
           SELECT deferred_at FROM procrastinate_jobs WHERE id = first_id)) AS since
      FROM waiting
)
SELECT queue_name, jobs, coalesce(greatest(extract(epoch FROM now() - since), 0), 0)::float8 FROM due
"""
_EVENTS: Final = """
SELECT coalesce(greatest(extract(epoch FROM now() - min(received_at)), 0), 0)::float8
  FROM webhooks_incomingevent WHERE state = 'received'
"""
# A worker reports right after it has looked for jobs, so one that cannot take any is not counted.
_WORKERS: Final = f"SELECT count(*)::float8 FROM procrastinate_workers WHERE NOT ({jobs.DEAD})"  # noqa: S608 - a constant.


class QueueMetrics(Collector):
    """Figures of the queue at the moment of asking; none while the database does not answer."""

    def describe(self) -> Iterator[Metric]:
        """Name the figures, so that registering asks nothing of the database."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Read the figures."""
        waiting, oldest, lag, workers = _families()
        try:
            queues, events = _rows(_QUEUES), _rows(_EVENTS)
            alive = _rows(_WORKERS, {"seconds": jobs.STALLED_SECONDS})
        except Error as error:
            log.warning("queue_not_measured", fault=type(error).__name__)
            return
        for queue, number, seconds in queues:
            waiting.add_metric([queue], number)
            oldest.add_metric([queue], seconds)
        lag.add_metric([], events[0][0])
        workers.add_metric([], alive[0][0])
        yield from (waiting, oldest, lag, workers)


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily("multitask_queue_jobs", "Jobs that wait, due or not.", labels=["queue"]),
        GaugeMetricFamily("multitask_queue_oldest_seconds", "Age of the oldest job that is due.", labels=["queue"]),
        GaugeMetricFamily("multitask_webhooks_lag_seconds", "Age of the oldest event that waits.", labels=[]),
        GaugeMetricFamily("multitask_workers", "Worker processes that took jobs within 30 seconds.", labels=[]),
    )


def _rows(statement: str, values: dict[str, int] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def register() -> None:
    """Add the figures to those that `/metrics` shows."""
    REGISTRY.register(QueueMetrics())
