"""What our answers said, held against what is there in the end."""

from collections.abc import Callable

Check = Callable[[], object]


class Promises:
    """Answers that said that something is done; a later one about the same thing takes the place of an earlier."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, Check]] = {}
        self.number = 0

    def keep(self, thing: str, said: str, check: Check) -> None:
        """Remember that an answer said something about a thing; `check` tells whether it is so."""
        self._kept[thing] = (said, check)
        self.number += 1

    def forget(self, thing: str) -> None:
        """An answer about this thing was not heard: nobody knows what holds."""
        self._kept.pop(thing, None)

    def broken(self) -> list[str]:
        """Return what was said and is not so."""
        return [f"{thing} was answered as {said}" for thing, (said, check) in self._kept.items() if not check()]
