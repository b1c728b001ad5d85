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

CONCURRENCY: Final = 16
PAUSE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Runs a worker that starts anew when it has lost the database; each start takes over what was left."""

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
    """Run all lanes until told to stop, or until one of them ends because the database is gone."""
    told = asyncio.create_task(stopping.wait())
    try:
        async with running.open_async():
            running.perform_import_paths()  # type: ignore[no-untyped-call]
            workers = lanes.of(running, threads)
            tasks = [asyncio.create_task(worker.run()) for worker in workers]  # type: ignore[no-untyped-call]
            await asyncio.wait({*tasks, told}, return_when=asyncio.FIRST_COMPLETED)
            for worker in workers:
                worker.stop()  # type: ignore[no-untyped-call]
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            if not stopping.is_set():
                _explain(ends)
    except (ProcrastinateException, psycopg.Error, OSError) as error:
        log.warning("worker_lost_database", fault=type(error).__name__)
    finally:
        told.cancel()


def _explain(ends: list[BaseException | None]) -> None:
    """Raise why the first lane ended; none fails when it was a task beside the jobs that did."""
    for end in ends:
        if end is not None:
            raise end
    log.warning("worker_stopped", fault="a task beside the jobs failed")
