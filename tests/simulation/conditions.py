"""The chances of failures in one story, drawn at its beginning; without failures a story shows faults of our own."""

import random
from dataclasses import dataclass, replace

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
# What else goes wrong in stories in which money comes back.
EVIDENCE, WARNINGS, ACCOUNTS, CHOICES = "evidence", "warnings", "accounts", "choices"
CARDS, CONVERSION, OWN_MONEY = "cards", "conversion", "own_money"
SITUATIONS = (EVIDENCE, WARNINGS, ACCOUNTS, CHOICES, CARDS, CONVERSION, OWN_MONEY)
# The share of those stories that have one of them, for each of them.
SHARE = 0.35
# The longest suspension of a process between two steps; idempotency keys expire earlier.
LONGEST_PAUSE = 60 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Chances from 0 to 1, and durations in seconds."""

    crash: float = 0  # at a point
    yielding: float = 0  # at a point: another task continues
    suspended: float = 0  # share of those that last very long, up to `LONGEST_PAUSE`
    unheard: float = 0  # a commit whose response is lost
    fault: float = 0  # of a call
    silence: float = 0  # a response to a person is lost
    webhook: float = 0  # a delivery is lost, repeated, late or reordered
    step: float = 0  # our clock is stepped, per turn
    mishap: float = 0  # a bank or the provider decides something, per turn
    double: float = 0  # a person clicks twice
    mischief: float = 0  # a person tries something forbidden
    loss: float = 0  # a bank contests, or somebody moves money in the provider's dashboard, per turn
    verify_after: float = 0
    besides: bool = False  # periodic jobs that move no money run too


CALM = Conditions(yielding=0.1, double=0.1, mischief=0.15, mishap=0.004)


def drawn(rng: random.Random, *, loses: bool = False) -> Conditions:
    """Draw the conditions of a story; `loses`: money comes back in it or moves without us."""
    found = _drawn(rng)
    return replace(found, loss=0.006) if loses else found


def _drawn(rng: random.Random) -> Conditions:
    force = rng.choice((0.0, 0.5, 1.0, 1.0, 2.5))
    if not force:
        return CALM
    return Conditions(
        crash=0.008 * force * rng.random(),
        yielding=0.06 + 0.1 * rng.random(),
        suspended=rng.choice((0.0, 0.01, 0.03)) * force,
        unheard=0.008 * force * rng.random(),
        fault=0.2 * force * rng.random(),
        silence=0.06 * force * rng.random(),
        webhook=min(1.0, 0.5 * force * rng.random()),
        step=rng.choice((0.0, 0.004, 0.01)),
        mishap=rng.choice((0.0, 0.004, 0.01)),
        double=0.15,
        mischief=0.15,
        besides=rng.random() < 0.2,
        verify_after=rng.choice((0.0, 0.0, HOUR)),
    )


def situations(seed: int, number: int) -> frozenset[str]:
    """Draw the situations of a story in which money comes back."""
    rng = random.Random(f"{seed}:{number}:situations")
    return frozenset(name for name in SITUATIONS if rng.random() < SHARE)
