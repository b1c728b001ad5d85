"""`manage.py worker`: performs jobs until it is told to stop, and outlives the database."""

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
# How the end of a lane shows that it has lost the database.
LOST: Final = (ProcrastinateException, psycopg.Error, OSError)

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Runs the lanes; each starts anew when it has lost the database, and takes over what was left."""

    help = "Perform jobs until told to stop; wait for a database that is gone."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take `--concurrency`."""
        parser.add_argument(
            "--concurrency",
            type=int,
            default=CONCURRENCY,
            help=f"jobs performed at the same time, at least {lanes.FEWEST}: shared out by kind of work",
        )

    def handle(self, *_arguments: Any, concurrency: int = CONCURRENCY, **_options: Any) -> None:
        """Work until SIGTERM or SIGINT; what is under way then is finished first."""
        # Also when the system checks are skipped.
        routes.require_valid()
        asyncio.run(_serve(max(lanes.FEWEST, min(concurrency, _connections()))))


def _connections() -> int:
    """How many jobs can have a connection at once: each holds one, and more jobs would only wait for them."""
    pool: dict[str, Any] = settings.DATABASES["default"].get("OPTIONS", {}).get("pool", {})
    return int(pool.get("max_size", CONCURRENCY))


async def _serve(threads: int) -> None:
    loop = asyncio.get_running_loop()
    # Jobs run in threads; the loop's own number of them depends on the machine.
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
    """Keep all lanes at work until told to stop; returns as well when there is no database to begin with."""
    try:
        async with running.open_async():
            running.perform_import_paths()  # type: ignore[no-untyped-call]
            await asyncio.gather(*(_keep_at_work(lane, stopping) for lane in lanes.of(running, threads)))
    except LOST as error:
        log.warning("worker_lost_database", fault=type(error).__name__)


async def _keep_at_work(lane: lanes.Lane, stopping: asyncio.Event) -> None:
    """Run one lane until told to stop, anew each time that it ends by itself.

    It does not wait for the jobs of the others, which may take long.
    """
    told = asyncio.create_task(stopping.wait())
    while not told.done():
        work = asyncio.create_task(lane.run())  # type: ignore[no-untyped-call]
        await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
        lane.stop()  # type: ignore[no-untyped-call]
        try:
            await work
            fault = "a task beside the jobs failed"
        except LOST as error:
            fault = type(error).__name__
        if not told.done():
            log.warning("lane_ended", lane=lane.worker_name, fault=fault)
            await asyncio.wait({told}, timeout=PAUSE_SECONDS)
