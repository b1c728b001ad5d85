"""Whole stories per second and their processor time, with a provider of 0 and of 200 ms per call.

`--against COMMIT` tells the same stories with the programs of another commit, in turns.
"""

import argparse
import statistics
from typing import Any, Final

from bench import machine, sides, story
from bench.report import Report
from bench.sides import Side, spent, turn

LATENCIES: Final = (0.0, 0.2)
# To the other commit: processor seconds per story.
BOUND: Final = 0.5


def main() -> int:
    """Run stories in turns; compare the rates and the processor time."""
    chosen = _parser().parse_args()
    told = chosen.pairs * chosen.stories
    report = Report("Whole stories through the HTTP API", rounds=chosen.rounds, pairs=chosen.pairs, stories=told)
    with sides.sides(chosen.against) as found:
        machine.show(found[0].up.here.database_url)
        pairs = {}
        for side in found:
            story.start(side.up)
            pairs[side.name] = story.pairs(side.up, chosen.pairs)
            story.tell(side.up, pairs[side.name], 1)
        for latency in chosen.latency or LATENCIES:
            _measure(found, report, pairs, chosen, latency)
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench stories", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side tells its stories")
    parser.add_argument("--pairs", type=int, default=4, help="pairs of people that tell stories at once")
    parser.add_argument("--stories", type=int, default=3, help="stories of each pair in a round")
    parser.add_argument("--latency", type=float, action="append", help="seconds per call of the provider")
    parser.add_argument("--against", metavar="COMMIT", help="compare with the programs of this commit")
    return parser


def _measure(
    found: list[Side], report: Report, pairs: dict[str, Any], chosen: argparse.Namespace, latency: float
) -> None:
    rates: dict[str, list[float]] = {side.name: [] for side in found}
    costs: dict[str, list[dict[str, float]]] = {side.name: [] for side in found}
    for side in found:
        side.up.ask_sandbox("DELETE", "/_sandbox/faults")
        if latency:
            side.up.ask_sandbox("POST", "/_sandbox/faults", {"kind": "delay", "path": "/v1/*", "seconds": latency})
    for number in range(chosen.rounds):
        for side in found if number % 2 else found[::-1]:
            with turn(side, found):
                before = side.processor_seconds()
                seconds = story.tell(side.up, pairs[side.name], chosen.stories)
                cost = spent(before, side.processor_seconds())
            told = chosen.pairs * chosen.stories
            rates[side.name].append(told / seconds)
            costs[side.name].append({name: seconds / told for name, seconds in cost.items()})
    at = f"at {latency * 1000:.0f} ms"
    for side in found:
        report.figure(f"{side.name}, {at}: stories per second (median)", f"{statistics.median(rates[side.name]):.2f}")
        parts = {name: statistics.median(cost[name] for cost in costs[side.name]) for name in costs[side.name][0]}
        text = ", ".join(f"{name} {seconds:.3f}" for name, seconds in parts.items())
        report.figure(f"{side.name}, {at}: processor seconds per story", f"{sum(parts.values()):.3f} ({text})")
    if len(found) > 1:
        here, other = (side.name for side in found)
        faster = statistics.median(a / b for a, b in zip(rates[here], rates[other], strict=True))
        report.figure(f"{at}: stories per second, to those of {other}", f"{faster:.2f}")
        pairs_of_costs = zip(costs[here], costs[other], strict=True)
        ratio = statistics.median(sum(a.values()) / sum(b.values()) for a, b in pairs_of_costs)
        report.at_most(f"{at}: processor seconds, to those of {other}", ratio, BOUND)


if __name__ == "__main__":
    raise SystemExit(main())
