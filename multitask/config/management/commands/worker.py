"""`manage.py worker`: performs jobs until it is told to stop, and outlives the database."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import procrastinate
import psycopg
import structlog
from django.core.management.base import BaseCommand, CommandParser
from procrastinate.contrib.django import app
from procrastinate.exceptions import ProcrastinateException

CONCURRENCY: Final = 8
# New jobs are not announced, since a NOTIFY makes all commits wait in one line; looking costs next to nothing.
POLLING_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Runs a worker that starts anew when it has lost the database; each start takes over what was left."""

    help = "Perform jobs until told to stop; wait for a database that is gone."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take `--concurrency`."""
        parser.add_argument("--concurrency", type=int, default=CONCURRENCY, help="jobs performed at the same time")

    def handle(self, *_arguments: Any, concurrency: int = CONCURRENCY, **_options: Any) -> None:
        """Work until SIGTERM or SIGINT; what is under way then is finished first."""
        asyncio.run(_serve(concurrency))


async def _serve(concurrency: int) -> None:
    loop = asyncio.get_running_loop()
    # Jobs run in threads; the loop's own number of them depends on the machine.
    loop.set_default_executor(ThreadPoolExecutor(concurrency + 2, thread_name_prefix="job"))
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
    while not stopping.is_set():
        with app.replace_connector(connector) as running:
            await _work(running, concurrency, stopping)
        if not stopping.is_set():
            await asyncio.sleep(PAUSE_SECONDS)


async def _work(running: procrastinate.App, concurrency: int, stopping: asyncio.Event) -> None:
    """Run one worker until it is told to stop, or ends because the database is gone."""
    told = asyncio.create_task(stopping.wait())
    try:
        async with running.open_async():
            worker = asyncio.create_task(
                running.run_worker_async(
                    concurrency=concurrency,
                    fetch_job_polling_interval=POLLING_SECONDS,
                    install_signal_handlers=False,
                )
            )
            await asyncio.wait({worker, told}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.is_set():
                worker.cancel()
            await asyncio.gather(worker, return_exceptions=stopping.is_set())
        if not stopping.is_set():
            log.warning("worker_stopped", fault="a task beside the jobs failed")
    except (ProcrastinateException, psycopg.Error, OSError) as error:
        log.warning("worker_lost_database", fault=type(error).__name__)
    finally:
        told.cancel()
