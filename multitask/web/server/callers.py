"""Who makes a request, as far as turns and limits need to know, and how many requests one caller may make."""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from multitask.users import throttle
from multitask.web.server.environ import Headers

REMEMBERED: Final = 20_000


class TooManyRequests(Exception):
    """A caller made more requests than the limit; `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        """Keep when to come again."""
        super().__init__(retry_after)
        self.retry_after = retry_after


def caller_of(headers: Headers, address: str, *, session_cookie: str) -> str:
    """Return a name for the caller: their token's or their session's hash, else their network address.

    A token or session that is made up is a caller too. It is refused before it costs more than a look-up.
    """
    proof = headers.get("authorization") or _cookie(headers.get("cookie", ""), session_cookie)
    if not proof:
        return _visitor(address)
    return hashlib.blake2b(proof.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _visitor(address: str) -> str:
    """The address by which a visitor counts, or what there is in its place, as on a Unix socket."""
    try:
        return throttle.visitor(address) or ""
    except ValueError:
        return address


def _cookie(header: str, name: str) -> str:
    """The value of a cookie, or an empty string."""
    if name not in header:
        return ""
    for part in header.split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""


class Limits:
    """Lets each caller make so many requests per minute, all of them at once if they like; 0 for any number."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        """Keep the limit and the clock, which counts seconds."""
        self._most, self._per_second, self._clock = float(per_minute), per_minute / 60, clock
        # What is left to each caller, and when that was so. Those who asked last are at the end.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, caller: str) -> None:
        """Count one request of a caller. Raises TooManyRequests."""
        if not self._most:
            return
        now = self._clock()
        left, seen_at = self._left.get(caller, (self._most, now))
        left = min(self._most, left + (now - seen_at) * self._per_second)
        if left < 1:
            raise TooManyRequests(max(1, math.ceil((1 - left) / self._per_second)))
        self._left[caller] = (left - 1, now)
        self._left.move_to_end(caller)
        if len(self._left) > REMEMBERED:
            # The allowance of whoever asked longest ago has grown back the most.
            self._left.popitem(last=False)
