"""Run the simulation for the test suite: in a process of its own, on a copy of the suite's database."""

import os
import subprocess
import sys
from pathlib import Path

from django.db import connection

from tests import fresh_database

ROOT = Path(__file__).parents[2]
SEED = 7


def simulation(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the simulation with these options on a copy of the suite's migrated database."""
    template = f"{connection.settings_dict['NAME']}_template"
    environment = {**os.environ, "DATABASE_URL": fresh_database.url("postgres")}
    command = [sys.executable, "-m", "tests.simulation", f"--template={template}", *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def assert_good(first: int, stories: int) -> None:
    """Play stories of the suite's seed and assert that none of them fails."""
    done = simulation(f"--seed={SEED}", f"--first={first}", f"--stories={stories}")
    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-5_000:]}"
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"{stories} stories of seed {SEED}, ")
    assert ": 0 wrong, " in last
