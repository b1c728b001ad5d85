"""The output of a benchmark."""

import statistics
from collections.abc import Sequence


class Report:
    """Print settings, figures and ratios, and keep whether a bound was missed."""

    def __init__(self, title: str, **settings: object) -> None:
        """Print the title and the settings of the run."""
        self.missed: list[str] = []
        print(f"\n{title}", flush=True)
        spoken = [f"{name.replace('_', ' ')} {value}" for name, value in settings.items()]
        print(f"  settings: {', '.join(spoken)}", flush=True)

    def figure(self, name: str, text: str) -> None:
        """Print one figure."""
        print(f"  {name:<58} {text}", flush=True)

    def at_most(self, name: str, value: float, bound: float, unit: str = "") -> None:
        """Print a figure that must not be above its bound."""
        self._against(name, value, f"at most {bound:g}", value <= bound, unit)

    def at_least(self, name: str, value: float, bound: float, unit: str = "") -> None:
        """Print a figure that must not be below its bound."""
        self._against(name, value, f"at least {bound:g}", value >= bound, unit)

    def _against(self, name: str, value: float, bound: str, holds: bool, unit: str) -> None:
        self.figure(name, f"{value:.2f}{unit} ({bound}{unit}: {'held' if holds else 'MISSED'})")
        if not holds:
            self.missed.append(name)

    def status(self) -> int:
        """The exit status: 1 if a bound was missed."""
        return 1 if self.missed else 0


def milliseconds(seconds: Sequence[float]) -> str:
    """Return the median and the 95th percentile of durations."""
    median, late = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    return f"median {median * 1000:.2f} ms, p95 {late * 1000:.2f} ms"
