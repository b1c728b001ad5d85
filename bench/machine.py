"""The machine and the database settings of a benchmark."""

import os
import platform
from pathlib import Path

import psycopg

SERVER_SETTINGS = (
    "shared_buffers",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "max_wal_size",
    "max_connections",
)


def describe(database_url: str | None = None) -> list[str]:
    """Return the facts of the machine and, with an address, of the database server and its relevant settings."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    lines = [
        f"machine: {_processor()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores, {_memory()}",
        f"system: {platform.system()} {platform.release()}, Python {platform.python_version()}, load before {load}",
    ]
    if database_url is not None:
        with psycopg.connect(database_url) as connection:
            rows = connection.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s) ORDER BY name",
                [list(SERVER_SETTINGS)],
            ).fetchall()
            version = connection.info.server_version // 10000
        chosen = ", ".join(f"{name} {value}" for name, value in rows)
        lines.append(f"database: PostgreSQL {version}, {chosen}")
    return lines


def show(database_url: str | None = None) -> None:
    """Print it."""
    for line in describe(database_url):
        print(f"  {line}", flush=True)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB of memory"
