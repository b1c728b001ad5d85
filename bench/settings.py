"""The application's own settings, with one bare view and one empty job beside its own to compare with."""

from multitask.config.settings import *  # noqa: F403
from multitask.config.settings import PROCRASTINATE_IMPORT_PATHS

ROOT_URLCONF = "bench.floor"
PROCRASTINATE_IMPORT_PATHS = [*PROCRASTINATE_IMPORT_PATHS, "bench.jobs"]
