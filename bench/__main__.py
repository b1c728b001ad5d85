"""`python -m bench [name [options]]`: run every benchmark, or one; `make bench` runs them all.

Each runs in a process of its own, so that none of them measures what another has left behind.
"""

import subprocess
import sys
from collections.abc import Sequence

BENCHMARKS = (
    "ledger_posting",
    "ledger_reading",
    "ledger_proof",
    "reads",
    "wallet",
    "commands",
    "search",
    "webhooks",
    "worker",
    "stories",
    "growth",
    "web_memory",
    "overload",
)


def main(arguments: Sequence[str]) -> int:
    """Run the chosen benchmarks; return 1 if a bound was missed or a benchmark failed."""
    chosen, options = arguments[:1], arguments[1:]
    if chosen and chosen[0] not in BENCHMARKS:
        print(f"error: there is no benchmark {chosen[0]}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    missed = [name for name in chosen or BENCHMARKS if _run(name, options) != 0]
    if missed:
        print(f"\nmissed or failed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def _run(name: str, options: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-m", f"bench.{name}", *options]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
