"""Check API responses against the final state."""

from collections.abc import Callable

Check = Callable[[], object]


class Responses:
    """Responses that confirmed something; a later one about the same object replaces the earlier one."""

    def __init__(self) -> None:
        self._recorded: dict[str, tuple[str, Check]] = {}
        self.number = 0

    def record(self, thing: str, said: str, check: Check) -> None:
        """Record what a response confirmed about a thing; `check` returns whether the final state agrees."""
        self._recorded[thing] = (said, check)
        self.number += 1

    def forget(self, thing: str) -> None:
        """Drop a thing whose next response may be lost, so that its state is unknown."""
        self._recorded.pop(thing, None)

    def contradicted(self) -> list[str]:
        """Return the responses that the final state contradicts."""
        return [f"{thing} was answered as {said}" for thing, (said, check) in self._recorded.items() if not check()]
