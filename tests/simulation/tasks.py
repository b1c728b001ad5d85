"""Concurrent tasks, run one at a time: each has a thread and a database connection, and passes the turn on.

Only the thread whose turn it is runs, so the order in which turns are drawn decides everything.
"""

import _thread
import threading
from collections.abc import Callable

from django.db import connection

from tests.simulation.clock import Clock

Work = Callable[[], object]


class Crash(BaseException):
    """The process ends here; `except Exception` does not catch it."""


class Task:
    """One thing that goes on: who it is, until when it waits, and how it ended."""

    def __init__(self, name: str, work: Work) -> None:
        self.name = name
        self.work = work
        self.waits_until = 0.0
        self.is_done = False
        self.error: BaseException | None = None
        self.is_killed = False


class _Lane:
    """A thread that runs one task after the other; it keeps its database connection between them."""

    def __init__(self, turns: "Turns") -> None:
        self._turns = turns
        self.turn = _thread.allocate_lock()
        self.turn.acquire()
        self.task: Task | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        _here.lane = self
        while True:
            self.turn.acquire()
            task = self.task
            if task is None:
                connection.close()
                self._turns.give_back()
                return
            try:
                if not task.is_killed:
                    task.work()
            except BaseException as error:
                task.error = error
            task.is_done = True
            self.task = None
            self._turns.give_back()

    def end(self) -> None:
        """End the thread; it runs no task now."""
        self.turn.release()
        self._thread.join()


class _Here(threading.local):
    lane: _Lane | None = None


_here = _Here()


class Turns:
    """Hands out turns. Its own thread draws; the tasks' threads run."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.open: list[Task] = []
        self._lanes: dict[Task, _Lane] = {}
        self._free: list[_Lane] = []
        self._drawer = _thread.allocate_lock()
        self._drawer.acquire()

    def begin(self, name: str, work: Work) -> Task:
        """Make a task; it runs when it is given its first turn."""
        task = Task(name, work)
        lane = self._free.pop() if self._free else _Lane(self)
        lane.task = task
        self._lanes[task] = lane
        self.open.append(task)
        return task

    def ready(self) -> list[Task]:
        """Return the tasks that wait for nothing but their turn."""
        return [task for task in self.open if task.waits_until <= self.clock.true]

    def next_ready(self) -> float | None:
        """Return the true moment at which the first of those that wait is ready."""
        return min((task.waits_until for task in self.open), default=None)

    def give(self, task: Task) -> None:
        """Give a task the turn until it hands it back or ends."""
        lane = self._lanes[task]
        lane.turn.release()
        self._drawer.acquire()
        if task.is_done:
            self.open.remove(task)
            self._free.append(self._lanes.pop(task))

    def kill(self, task: Task) -> None:
        """Kill a waiting task."""
        task.is_killed, task.waits_until = True, 0.0

    def give_back(self) -> None:
        """Return the turn to the drawing thread."""
        self._drawer.release()

    def wait(self, seconds: float) -> None:
        """Wait for at least so many seconds while others run; called by a task. Raises Crash."""
        lane = _here.lane
        assert lane is not None
        assert lane.task is not None, "only a task waits"
        lane.task.waits_until = self.clock.true + seconds
        self.give_back()
        lane.turn.acquire()
        if lane.task.is_killed:
            lane.task.is_killed = False
            raise Crash

    def sleep(self, seconds: float) -> None:
        """Wait as `time.sleep` does."""
        if self.current() is not None:
            self.wait(seconds)

    def current(self) -> Task | None:
        """Return the task whose thread this is, or None."""
        return _here.lane.task if _here.lane is not None else None

    def end(self) -> None:
        """End all threads. Tasks that still wait are cut off first."""
        for task in list(self.open):
            while not task.is_done:
                self.kill(task)
                self.give(task)
        for lane in self._free:
            lane.end()
            self._drawer.acquire()
        self._free.clear()
