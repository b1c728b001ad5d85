"""What may go wrong in one story, drawn at its beginning: calm ones show what goes wrong by itself."""

import random
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
# For how long a process may be suspended between two steps: much longer than the provider remembers a key.
LONGEST_PAUSE = 60 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Chances from 0 to 1, and lengths in seconds."""

    crash: float = 0  # at a point
    yielding: float = 0  # at a point: somebody else goes on
    suspended: float = 0  # of those: for how long nobody knows, a day and more
    unheard: float = 0  # a commit whose answer is lost
    fault: float = 0  # at a call
    silence: float = 0  # an answer to a person is lost
    webhook: float = 0  # a delivery is lost, doubled, late or overtaken
    step: float = 0  # our clock is stepped, at a turn
    mishap: float = 0  # a bank or the provider decides something, at a turn
    double: float = 0  # a person clicks twice
    mischief: float = 0  # a person tries what they should not
    verify_after: float = 0
    besides: bool = False  # the chores that move no money are done too


CALM = Weather(yielding=0.1, double=0.1, mischief=0.15, mishap=0.004)


def drawn(rng: random.Random) -> Weather:
    """Draw the weather of a story."""
    force = rng.choice((0.0, 0.5, 1.0, 1.0, 2.5))
    if not force:
        return CALM
    return Weather(
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
