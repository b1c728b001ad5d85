"""Who makes a request, as far as turns and limits need to know, and how many requests one group may make."""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from multitask.users import throttle
from multitask.web.api import tokens
from multitask.web.server.environ import Headers

REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose turn it is: groups take turns, then the callers of one group do.

    A group is the session of a token that we signed, or a network address. Nobody can make one up.
    """

    name: str
    group: str


class TooManyRequests(Exception):
    """A group made more requests than the limit; `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        """Keep when to come again."""
        super().__init__(retry_after)
        self.retry_after = retry_after


def caller_of(headers: Headers, network: str, *, session_cookie: str, needs_no_sign_in: bool = False) -> Caller:
    """Return the caller: the session of a valid access token, else a session cookie or nothing within the network.

    Only the signature and the time of a token are checked here, without the database. A session cookie can be made
    up, so it is a caller among those of its network. Requests that need no sign-in count by the network alone.
    """
    if needs_no_sign_in:
        return Caller(network, network)
    session = _session_of_token(headers.get("authorization", ""))
    if session:
        return Caller(session, session)
    cookie = _cookie(headers.get("cookie", ""), session_cookie)
    if not cookie:
        return Caller(network, network)
    hashed = hashlib.blake2b(cookie.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return Caller(f"{network} {hashed}", network)


def network_of(address: str) -> str:
    """Return the address by which a visitor counts, or what there is in its place, as on a Unix socket."""
    try:
        return throttle.visitor(address) or ""
    except ValueError:
        return address


def _session_of_token(authorization: str) -> str:
    """The session of a bearer token whose signature and time are right, or an empty string."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return ""
    try:
        return str(tokens.read_access(token).session)
    except tokens.InvalidToken:
        return ""


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
    """Lets each group make so many requests per minute, all of them at once if they like; 0 for any number."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        """Keep the limit and the clock, which counts seconds."""
        self._most, self._per_second, self._clock = float(per_minute), per_minute / 60, clock
        # What is left to each group, and when that was so. Those who asked last are at the end.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, group: str) -> None:
        """Count one request of a group. Raises TooManyRequests."""
        if not self._most:
            return
        now = self._clock()
        left, seen_at = self._left.get(group, (self._most, now))
        left = min(self._most, left + (now - seen_at) * self._per_second)
        if left < 1:
            raise TooManyRequests(max(1, math.ceil((1 - left) / self._per_second)))
        self._left[group] = (left - 1, now)
        self._left.move_to_end(group)
        if len(self._left) > REMEMBERED:
            # The allowance of the caller who asked longest ago has grown back the most.
            self._left.popitem(last=False)
