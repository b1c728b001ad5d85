"""This checkout beside an earlier commit: both run at the same time on one machine, each with its own database.

They take turns, and the worker of the other side is stopped (SIGSTOP) meanwhile, so that what is measured is the work
of one side: its processor time, the rows in its tables, and the server's write-ahead log.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from bench.servers import Servers, family_of, running
from stack import postgres

HERE = "here"
# Processor seconds by program and process.
Processors = dict[str, dict[int, float]]
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_TABLES = "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname"
# What the server's statistics count as written; they are up to ten seconds late.
_WRITTEN = "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public'"
STATISTICS_SECONDS = 11


@dataclass(slots=True)
class Side:
    """The programs of one commit."""

    name: str
    up: Servers

    def pause(self) -> None:
        """Stop the worker's processes until `resume`."""
        os.killpg(self.up.programs.running["worker"].pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let the worker go on."""
        os.killpg(self.up.programs.running["worker"].pid, signal.SIGCONT)

    def processor_seconds(self) -> Processors:
        """Return the processor time so far of the web server, the worker and their database connections."""
        found = {name: family_of(self.up.programs.running[name].pid) for name in ("web", "worker")}
        found["database"] = self._backends()
        return {name: {pid: _seconds(pid) for pid in pids} for name, pids in found.items()}

    def _backends(self) -> list[int]:
        with self.up.connected() as database:
            query = (
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            return [pid for (pid,) in database.execute(query).fetchall()]

    def wal_bytes(self) -> int:
        """Return how many bytes the server's write-ahead log has had so far."""
        with self.up.connected() as database:
            ((position,),) = database.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchall()
        return int(position)

    def rows(self) -> dict[str, int]:
        """Return the number of rows of each table."""
        with self.up.connected() as database:
            names = [name for (name,) in database.execute(_TABLES).fetchall()]
            counts = {name: sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)) for name in names}
            return {name: int(database.execute(query).fetchall()[0][0]) for name, query in counts.items()}

    def written(self) -> dict[str, tuple[int, int, int]]:
        """Return how many rows were inserted, updated and deleted in each table, `STATISTICS_SECONDS` ago."""
        with self.up.connected() as database:
            return {name: (made, changed, gone) for name, made, changed, gone in database.execute(_WRITTEN).fetchall()}


def spent(before: Processors, after: Processors) -> dict[str, float]:
    """Return the processor seconds between two readings; a process that began in between counts from its start."""
    return {
        name: sum(seconds - before[name].get(pid, 0.0) for pid, seconds in processes.items())
        for name, processes in after.items()
    }


@contextmanager
def sides(against: str | None) -> Iterator[list[Side]]:
    """Yield this checkout and, if a commit is named, that one; with databases, and without programs."""
    with contextlib.ExitStack() as held:
        found = [Side(HERE, held.enter_context(running()))]
        if against is not None:
            folder = held.enter_context(checkout(against))
            found.append(Side(against, held.enter_context(running(folder))))
        yield found


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Yield a folder with the files of a commit: a temporary worktree of the repository."""
    here = postgres.project_folder()
    with tempfile.TemporaryDirectory(prefix="multitask-bench-checkout-") as folder:
        place = Path(folder) / "checkout"
        git = ["git", "-C", str(here), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


@contextmanager
def turn(side: Side, others: list[Side]) -> Iterator[None]:
    """Let one side work while the workers of the others are stopped."""
    for other in others:
        if other is not side:
            other.pause()
    try:
        yield
    finally:
        for other in others:
            if other is not side:
                other.resume()


def _seconds(pid: int) -> float:
    """Return the processor time of a process, in user and in system mode; 0 for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
