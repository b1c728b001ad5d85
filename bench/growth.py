"""What a story leaves behind and writes: rows by table and write-ahead log, also compared with another commit."""

import argparse
import time
from typing import Final

from bench import machine, sides, story
from bench.report import Report
from bench.sides import STATISTICS_SECONDS, Side, turn

# To the other commit: rows and write-ahead log per story.
BOUND: Final = 0.5
_SIZES: Final = """
SELECT relname, pg_table_size(relid), pg_indexes_size(relid) FROM pg_stat_user_tables
 WHERE schemaname = 'public' AND pg_total_relation_size(relid) > 0
"""


def main() -> int:
    """Run stories, one side after the other, and print what they wrote."""
    chosen = _parser().parse_args()
    told = chosen.pairs * chosen.stories
    report = Report("What a story writes", pairs=chosen.pairs, stories=told)
    with sides.sides(chosen.against) as found:
        machine.show(found[0].up.here.database_url)
        pairs = {}
        for side in found:
            story.start(side.up)
            pairs[side.name] = story.pairs(side.up, chosen.pairs)
            story.tell(side.up, pairs[side.name], 1)
        figures = []
        for side in found:
            with turn(side, found):
                figures.append(_measure(side, report, pairs[side.name], chosen.stories))
        if len(found) > 1:
            for place, name in enumerate(("rows left", "rows written", "write-ahead log")):
                ratio = figures[0][place] / figures[1][place]
                report.at_most(f"{name} per story, to those of {chosen.against}", ratio, BOUND)
    return report.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench growth", description=__doc__)
    parser.add_argument("--pairs", type=int, default=4, help="pairs of people that tell stories at once")
    parser.add_argument("--stories", type=int, default=10, help="stories of each pair")
    parser.add_argument("--against", metavar="COMMIT", help="compare with the programs of this commit")
    return parser


def _measure(side: Side, report: Report, pairs: list[story.Pair], stories: int) -> tuple[float, float, float]:
    """Return the rows left, the rows written, and the bytes of write-ahead log, each per story."""
    told = len(pairs) * stories
    time.sleep(STATISTICS_SECONDS)
    rows, written, sizes, wal = side.rows(), side.written(), _sizes(side), side.wal_bytes()
    story.tell(side.up, pairs, stories)
    wal_per_story = (side.wal_bytes() - wal) / told
    left = {name: (number - rows[name]) / told for name, number in side.rows().items()}
    time.sleep(STATISTICS_SECONDS)
    later, larger = side.written(), _sizes(side)
    changes = {name: [(b - a) / told for a, b in zip(written[name], later[name], strict=True)] for name in later}
    report.figure(f"{side.name}: table", "rows left, inserted, updated, deleted; bytes of table and indexes, per story")
    for name in sorted(changes, key=lambda name: -sum(changes[name])):
        if not any(changes[name]):
            continue
        made, changed, gone = changes[name]
        table, indexes = (
            (b - a) / told for a, b in zip(sizes.get(name, (0, 0)), larger.get(name, (0, 0)), strict=True)
        )
        counts = f"{left[name]:6.2f} {made:6.2f} {changed:6.2f} {gone:6.2f}"
        report.figure(f"  {name}", f"{counts}  {table:7.0f} {indexes:7.0f}")
    total, all_written = sum(left.values()), sum(sum(each) for each in changes.values())
    report.figure(f"{side.name}: rows left, rows inserted, updated and deleted", f"{total:.1f}, {all_written:.1f}")
    report.figure(f"{side.name}: write-ahead log", f"{wal_per_story / 1024:.0f} KiB")
    return total, all_written, wal_per_story


def _sizes(side: Side) -> dict[str, tuple[int, int]]:
    with side.up.connected() as database:
        return {name: (int(table), int(indexes)) for name, table, indexes in database.execute(_SIZES).fetchall()}


if __name__ == "__main__":
    raise SystemExit(main())
