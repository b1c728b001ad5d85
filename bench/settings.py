"""The settings of the application, plus a minimal view and an empty job to compare with."""

import os
import time
from pathlib import Path

from multitask.config.settings import *  # noqa: F403
from multitask.config.settings import PROCRASTINATE_IMPORT_PATHS

# A file with the number of seconds by which the clock of the process is set forward.
if "BENCH_CLOCK" in os.environ:
    clock, real = Path(os.environ["BENCH_CLOCK"]), time.time
    time.time = lambda: real() + (float(clock.read_text()) if clock.exists() else 0.0)

ROOT_URLCONF = "bench.floor"
PROCRASTINATE_IMPORT_PATHS = [*PROCRASTINATE_IMPORT_PATHS, "bench.jobs"]
