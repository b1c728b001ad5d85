"""The incremental proof of the books: what is new since the last checkpoint, and a part of what is old.

Its cost depends on what was posted since, not on how much there is. `checks.run` proves all at once.

1. The newest checkpoints are as they were written, and agree with the hash chain.
2. The links since the last checkpoint agree with the books, and hold every invariant (`ranges`), as do the objects of
   other packages that they touch. A checkpoint is written after every few links.
3. What is too young for the chain holds every invariant too. It is proven again once it is chained.
4. The links just before the last checkpoint, and some older ones that move on with each run, are proven again: so
   everything is read again within `reread_days` if the proof runs every hour.

Checkpoints and the round of step 4 stand still only while the ledger's own invariants are violated. A row of another
package that is wrong, or a difference at a provider, may stand for days; meanwhile what was proven stays proven. The
invariants of other packages that were found broken are checked as a whole by every proof until they hold (`broken`).

Every statement is short and takes no lock that a posting waits for.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from multitask.ledger import broken, chain, checkpoints, checks, ranges
from multitask.ledger.checks import Violation

REREAD_DAYS: Final = 30
RECENT_LINKS: Final = 2
LEAST_LINKS: Final = 3
_LINKS_PER_CHECKPOINT: Final = 20
_RUNS_PER_DAY: Final = 24
_TRANSACTIONS_AT_ONCE: Final = 1000


class _Findings:
    """The violations that were found, at most `checks.MOST_DETAILS` of each invariant, each once."""

    def __init__(self) -> None:
        self._details: dict[str, dict[str, None]] = {}

    def add(self, name: str, details: Iterable[str]) -> None:
        for detail in details:
            kept = self._details.setdefault(name, {})
            if len(kept) < checks.MOST_DETAILS:
                kept[detail] = None

    def __contains__(self, name: str) -> bool:
        return name in self._details

    def are_of_ledger(self) -> bool:
        """Return whether an invariant of the ledger itself is violated."""
        return not checks.OF_LEDGER.isdisjoint(self._details)

    def remember(self) -> None:
        """Let later proofs look again at what they would not read by themselves."""
        broken.add(filter(checks.is_proven_in_parts, self._details))

    def violations(self) -> list[Violation]:
        order = {name: place for place, name in enumerate(checks.names())}
        found = [Violation(name, detail) for name, details in self._details.items() for detail in details]
        return sorted(found, key=lambda violation: order.get(violation.invariant, len(order)))


def run(*, with_providers: bool = True, reread_days: int = REREAD_DAYS) -> list[Violation]:
    """Prove what is new, a part of what is old, and what was broken; return an empty list if all of that holds.

    Several runs may work at once. One that is stopped continues from the last checkpoint.
    """
    findings = _Findings()
    for name, check in checks.of_bounded_cost(with_providers=with_providers):
        findings.add(name, check())
    known = broken.found()
    for name, check in checks.of_names(known):
        findings.add(name, check())
    chain.extend()
    last = checkpoints.newest()
    findings.add(checks.CHECKPOINTS, checkpoints.violations(first=max(1, last.number - checkpoints.RECENT + 1)))
    head = chain.head()
    reached = _prove_new(last, head.number, findings)
    for part in _young(head.last_transaction):
        _prove(part, findings)
    reread = _prove_old(last, reread_days, findings)
    findings.remember()
    if not findings.are_of_ledger() and reached.link and reread != reached.reread:
        checkpoints.add(reached, chain.link(reached.link), reread=reread)
    broken.remove({name: found_at for name, found_at in known.items() if name not in findings})
    return findings.violations()


def run_in_full() -> list[Violation]:
    """Prove all at once; what is broken is reported by `run` too until it holds."""
    violations = checks.run()
    broken.add(filter(checks.is_proven_in_parts, (violation.invariant for violation in violations)))
    return violations


def _prove_new(last: checkpoints.Checkpoint, head: int, findings: _Findings) -> checkpoints.Checkpoint:
    """Prove the links since the last checkpoint; return the newest checkpoint.

    None is written from where the ledger's own proof fails. What else is broken is remembered before a checkpoint says
    that the next proof need not read it.
    """
    reached = last
    for first in range(last.link + 1, head + 1, _LINKS_PER_CHECKPOINT):
        until = min(first + _LINKS_PER_CHECKPOINT - 1, head)
        _prove_links(first, until, findings)
        # Another proof at the same time may have come further.
        if not findings.are_of_ledger() and until > reached.link:
            findings.remember()
            reached = checkpoints.add(reached, chain.link(until), reread=reached.reread)
    return reached


def _prove_old(last: checkpoints.Checkpoint, days: int, findings: _Findings) -> int:
    """Prove the newest links of the last checkpoint again, and the next old ones; return the last of these."""
    number = min(last.link, max(LEAST_LINKS, -(-last.link // (days * _RUNS_PER_DAY))))
    recent = range(max(0, last.link - RECENT_LINKS), last.link)
    old = [(last.reread + step) % last.link for step in range(number)]
    for link in sorted({*recent, *old}):
        _prove_links(link + 1, link + 1, findings)
    return old[-1] + 1 if old else last.reread


def _prove_links(first: int, last: int, findings: _Findings) -> None:
    findings.add(checks.CHAIN, chain.verify(first=first, last=last))
    previous = chain.link(first - 1)
    for link in chain.links(first, last):
        if link.number == previous.number + 1:  # Otherwise a link is missing, which was reported above.
            _prove(ranges.Range(previous.last_transaction, link.last_transaction), findings)
        previous = link


def _young(after: UUID) -> Iterator[ranges.Range]:
    """Yield the transactions after the head of the chain, some at a time."""
    while (until := ranges.end_of(after, _TRANSACTIONS_AT_ONCE)) is not None:
        yield ranges.Range(after, until)
        after = until
    yield ranges.Range(after, ranges.LAST_ID)


def _prove(part: ranges.Range, findings: _Findings) -> None:
    for name, detail in ranges.violations(part, checks.MOST_DETAILS):
        findings.add(name, [detail])
    touched = ranges.names(part)
    for name, check in checks.of_touched():
        findings.add(name, check(touched))
