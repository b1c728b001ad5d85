"""The application's own settings, with one bare view and one empty job beside its own to compare with."""

import os
import time
from pathlib import Path

from multitask.config.settings import *  # noqa: F403
from multitask.config.settings import PROCRASTINATE_IMPORT_PATHS

# A file that says by how many seconds the process's clock is ahead, as after a clock step.
if "BENCH_CLOCK" in os.environ:
    clock, real = Path(os.environ["BENCH_CLOCK"]), time.time
    time.time = lambda: real() + (float(clock.read_text()) if clock.exists() else 0.0)

ROOT_URLCONF = "bench.floor"
PROCRASTINATE_IMPORT_PATHS = [*PROCRASTINATE_IMPORT_PATHS, "bench.jobs"]
