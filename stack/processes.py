"""The programs of a local run: each has its own process group and log file, and they are stopped together."""

import ctypes
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from stack import postgres
from stack.errors import StackError

START_SECONDS = 60
STOP_SECONDS = 10
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2).
LIBC = ctypes.CDLL(None)


class Programs:
    """Start programs, detect when one of them ends unexpectedly, and stop them.

    They run in `folder`, a checkout of the project: this one unless another is named.
    """

    def __init__(self, logs: Path, folder: Path | None = None) -> None:
        self.logs = logs
        self.folder = folder or postgres.project_folder()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(mode=0o700, exist_ok=True)

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Start a program whose output goes to its log. It is stopped if this process ends, even if killed."""
        with self._log(name).open("wb") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread runs here.
            )

    def finish(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Run a program until it ends. Raises StackError with the end of its log if it fails."""
        self.finish_together({name: command}, environment)

    def finish_together(self, commands: Mapping[str, list[str]], environment: Mapping[str, str]) -> None:
        """Run programs in parallel until all have ended. Raises StackError with the log of one that failed."""
        for name, command in commands.items():
            self.start(name, command, environment)
        ended = {name: self.running[name].wait() for name in commands}
        for name in commands:
            del self.running[name]
        for name, status in ended.items():
            if status != 0:
                raise StackError(self._end_message(name, status))

    def await_answer(self, name: str, url: str) -> None:
        """Wait until a started program responds with 200 at `url`."""
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"{name} did not answer at {url} in {START_SECONDS} s\n{self._log_tail(name)}")
            time.sleep(0.05)

    def check(self) -> None:
        """Raise StackError, with the end of its log, if a program has ended unexpectedly."""
        for name, process in self.running.items():
            status = process.poll()
            if status is not None:
                raise StackError(self._end_message(name, status))

    def stop(self) -> None:
        """Send SIGTERM to all programs, the last started first, then SIGKILL to the process groups that remain."""
        for process in reversed(self.running.values()):
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
        for process in self.running.values():
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self.running.clear()

    def _log(self, name: str) -> Path:
        return self.logs / f"{name.replace(' ', '-')}.log"

    def _end_message(self, name: str, status: int) -> str:
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"{name} {how}\n{self._log_tail(name)}"

    def _log_tail(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").splitlines()[-15:]
        return "\n".join([*(f"  | {line}" for line in lines), f"  (all of it: {self._log(name)})"])


def _die_with_parent() -> None:
    LIBC.prctl(DIE_WITH_PARENT, signal.SIGTERM)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group outlives its leader if one of its descendants does not end.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False
