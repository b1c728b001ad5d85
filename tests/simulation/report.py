"""The output of a simulation: the stories that failed, how to repeat them, and the processor time."""

import argparse
import time

from tests.simulation import cost
from tests.simulation.player import Outcome
from tests.simulation.story import is_egyptian

EVERY = 500


class Report:
    """Counts stories and prints what went wrong at once."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._played = self.wrong = self._responses = self._steps = self._egyptian = 0
        self._began = time.perf_counter(), time.process_time(), cost.database_seconds()

    def add(self, outcome: Outcome) -> None:
        """Count a story."""
        self._played += 1
        self._egyptian += is_egyptian(self._given.seed, outcome.number)
        self._responses += outcome.responses
        self._steps += len(outcome.trace)
        if outcome.wrong:
            self.wrong += 1
        if outcome.wrong or self._given.trace or self._given.story:
            self._print(outcome)
        if self._played % EVERY == 0:
            print(f"{self._played} stories, {self.wrong} wrong, {self._pace()}", flush=True)

    def _print(self, outcome: Outcome) -> None:
        print(f"seed {self._given.seed} story {outcome.number}", *outcome.trace, sep="\n")
        for wrong in outcome.wrong:
            print(f"WRONG: {wrong}")
        if outcome.wrong:
            print(f"again: make simulate SEED={self._given.seed} STORY={outcome.number}", flush=True)

    def end(self) -> int:
        """Print the figures; return 1 when a story went wrong."""
        print(
            f"{self._played} stories of seed {self._given.seed}, {self._egyptian} of them in Egyptian pounds:"
            f" {self.wrong} wrong, {self._responses} answers held to what they said, {self._steps} steps;"
            f" {self._pace()}",
            flush=True,
        )
        return int(self.wrong > 0)

    def _pace(self) -> str:
        wall, ours, theirs = self._began
        python, database = time.process_time() - ours, cost.database_seconds() - theirs
        rate = self._played / max(python + database, 0.001)
        return (
            f"{time.perf_counter() - wall:.1f} s, of a processor {python:.1f} s here and {database:.1f} s in the"
            f" database: {rate:.1f} stories a second on one core"
        )
