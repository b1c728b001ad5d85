"""Virtual time: the true moment, which only goes on, and our machine's clock, which may be stepped.

The provider lives by the true moment. `running` puts our clock in the place of the interpreter's, for everything
that runs in the process: `datetime.now`, `time.time`, and what waits by `time.sleep` and `time.monotonic`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import time_machine

from multitask.payments.operations import boot_clock

BEGIN = datetime(2031, 3, 3, 9, 0, tzinfo=UTC).timestamp()


class Clock:
    """Seconds since the epoch."""

    def __init__(self) -> None:
        self.true = BEGIN
        self.skew = 0.0
        self._shown: time_machine.Traveller | None = None

    @property
    def ours(self) -> float:
        """What our machine takes the time to be."""
        return self.true + self.skew

    def begin(self) -> None:
        """Begin again where every story begins."""
        self.true, self.skew = BEGIN, 0.0
        self._show()

    def pass_to(self, moment: float) -> None:
        """Advance to a true moment; never back."""
        self.true = max(self.true, moment)
        self._show()

    def pass_by(self, seconds: float) -> None:
        """Advance by some seconds."""
        self.pass_to(self.true + seconds)

    def step(self, skew: float) -> None:
        """Step our machine's clock, so that it is `skew` ahead of the true moment."""
        self.skew = skew
        self._show()

    def _show(self) -> None:
        if self._shown is not None:
            self._shown.move_to(self.ours)

    @contextmanager
    def running(self, sleep: Callable[[float], None]) -> Iterator[None]:
        """Be the interpreter's clock; `sleep` is what waiting does."""
        kept = time.sleep, time.monotonic
        with time_machine.travel(self.ours, tick=False) as shown:
            self._shown = shown
            # Libraries that wait for the database took the real ones when they were imported.
            time.sleep, time.monotonic = sleep, lambda: self.true
            try:
                with boot_clock.using(lambda: self.true):
                    yield
            finally:
                time.sleep, time.monotonic = kept
                self._shown = None
