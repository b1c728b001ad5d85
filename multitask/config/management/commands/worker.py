"""`manage.py worker`: perform jobs until it is stopped; continue after the database was unavailable."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import procrastinate
import psycopg
import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from procrastinate.contrib.django import app
from procrastinate.exceptions import ProcrastinateException

from multitask.config import lanes
from multitask.payments.operations import routes

CONCURRENCY: Final = 16
PAUSE_SECONDS: Final = 1.0
# The errors with which a lane ends if it has lost the database.
LOST: Final = (ProcrastinateException, psycopg.Error, OSError)

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Run the lanes. A lane that has lost the database is restarted, and performs the jobs that were interrupted."""

    help = "Perform jobs until stopped; wait while the database is unavailable."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--concurrency`."""
        parser.add_argument(
            "--concurrency",
            type=int,
            default=CONCURRENCY,
            help=f"jobs performed at the same time, at least {lanes.FEWEST}, distributed over the lanes",
        )

    def handle(self, *_arguments: Any, concurrency: int = CONCURRENCY, **_options: Any) -> None:
        """Work until SIGTERM or SIGINT; running jobs are finished first."""
        # Also when the system checks are skipped.
        routes.require_valid()
        asyncio.run(_serve(max(lanes.FEWEST, min(concurrency, _connections()))))


def _connections() -> int:
    """Return the size of the connection pool: each job holds a connection, so more jobs would only wait."""
    pool: dict[str, Any] = settings.DATABASES["default"].get("OPTIONS", {}).get("pool", {})
    return int(pool.get("max_size", CONCURRENCY))


async def _serve(threads: int) -> None:
    loop = asyncio.get_running_loop()
    # Jobs run in threads; the default number of threads of the loop depends on the machine.
    loop.set_default_executor(ThreadPoolExecutor(threads + 2, thread_name_prefix="job"))
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
    while not stopping.is_set():
        with app.replace_connector(connector) as running:
            await _work(running, threads, stopping)
        if not stopping.is_set():
            await asyncio.sleep(PAUSE_SECONDS)


async def _work(running: procrastinate.App, threads: int, stopping: asyncio.Event) -> None:
    """Run all lanes until stopped; also return if the database is unavailable at the start."""
    try:
        async with running.open_async():
            running.perform_import_paths()  # type: ignore[no-untyped-call]
            await asyncio.gather(*(_run_lane(lane, stopping) for lane in lanes.of(running, threads)))
    except LOST as error:
        log.warning("worker_lost_database", fault=type(error).__name__)


async def _run_lane(lane: lanes.Lane, stopping: asyncio.Event) -> None:
    """Run one lane until stopped, and restart it each time it ends by itself.

    It does not wait for the jobs of other lanes, which may take long.
    """
    stop_requested = asyncio.create_task(stopping.wait())
    while not stop_requested.done():
        work = asyncio.create_task(lane.run())  # type: ignore[no-untyped-call]
        await asyncio.wait({work, stop_requested}, return_when=asyncio.FIRST_COMPLETED)
        lane.stop()  # type: ignore[no-untyped-call]
        try:
            await work
            fault = "a side task failed"
        except LOST as error:
            fault = type(error).__name__
        if not stop_requested.done():
            log.warning("lane_ended", lane=lane.worker_name, fault=fault)
            await asyncio.wait({stop_requested}, timeout=PAUSE_SECONDS)
