"""`manage.py worker`: perform jobs until it is stopped; continue after the database was unavailable."""

import signal
import threading
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from procrastinate.contrib.django import app

from multitask import due
from multitask.config import lanes
from multitask.config.periodic import PeriodicJobs
from multitask.config.worker_loop import WorkerLoop
from multitask.payments.operations import routes

CONCURRENCY: Final = 18
# The connections of the main thread and of the one that defers periodic jobs.
OWN_CONNECTIONS: Final = 2


class Command(BaseCommand):
    """Perform jobs in lanes, and defer the periodic ones."""

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
        app.perform_import_paths()  # type: ignore[no-untyped-call]
        threads = min(concurrency, _connections())
        loop = WorkerLoop(app, lanes.shares(threads, settings.WORKER_OPERATIONS_AT_ONCE))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.stop())
        stopping = threading.Event()
        jobs = PeriodicJobs(app, due.CHECKS, loop.begin)
        periodic = threading.Thread(target=_defer, args=(jobs, stopping, loop), name="periodic")
        periodic.start()
        try:
            loop.run()
        finally:
            stopping.set()
            periodic.join()


def _defer(jobs: PeriodicJobs, stopping: threading.Event, loop: WorkerLoop) -> None:
    try:
        jobs.run(stopping)
    except BaseException as error:
        # A worker without periodic jobs would look alive.
        loop.fail(error)


def _connections() -> int:
    """Return how many jobs the connection pool serves: each holds a connection, so more jobs would only wait."""
    pool: dict[str, Any] = settings.DATABASES["default"].get("OPTIONS", {}).get("pool", {})
    return int(pool.get("max_size", CONCURRENCY + OWN_CONNECTIONS)) - OWN_CONNECTIONS
