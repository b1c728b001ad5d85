"""Identifies the caller of a request for turns and limits, and limits the requests of each group of callers."""

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
    """The caller of a request. Groups take turns, and within a group its callers.

    A group is the user of a signed token, or a network address; neither can be forged.
    """

    name: str
    group: str


class TooManyRequests(Exception):
    """A group exceeded its limit; `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        """Store how long to wait."""
        super().__init__(retry_after)
        self.retry_after = retry_after


def caller_of(headers: Headers, network: str, *, session_cookie: str, needs_no_sign_in: bool = False) -> Caller:
    """Return the caller: the user of a valid access token, else the session cookie or none, within the network.

    All sessions of a user are one caller, since anybody can log in often. Only the signature and the expiry of a token
    are checked here, without the database. A session cookie can be forged, so it only identifies a caller within its
    network. Requests without sign-in count by network alone.
    """
    if needs_no_sign_in:
        return Caller(network, network)
    user = _user_of_token(headers.get("authorization", ""))
    if user:
        return Caller(user, user)
    cookie = _cookie(headers.get("cookie", ""), session_cookie)
    if not cookie:
        return Caller(network, network)
    hashed = hashlib.blake2b(cookie.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return Caller(f"{network} {hashed}", network)


def network_of(address: str) -> str:
    """Return the network by which a visitor is counted; other values, as on a Unix socket, are returned as they are."""
    try:
        return throttle.visitor(address) or ""
    except ValueError:
        return address


def _user_of_token(authorization: str) -> str:
    """Return the name of the user of a bearer token with a valid signature and expiry, or an empty string."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return ""
    try:
        # No network has such a name.
        return f"user {tokens.read_access(token).user_id}"
    except tokens.InvalidToken:
        return ""


def _cookie(header: str, name: str) -> str:
    """Return the value of a cookie, or an empty string."""
    if name not in header:
        return ""
    for part in header.split(";"):
        key, _, value = part.partition("=")
        if key.strip() == name:
            return value.strip()
    return ""


class Limits:
    """Token buckets: each group may make `per_minute` requests, also in one burst; 0 means no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        """Store the limit and the clock, which returns seconds."""
        self._most, self._per_second, self._clock = float(per_minute), per_minute / 60, clock
        # The remaining requests of each group and when that was computed, least recently used first.
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
            # The least recently used bucket is the one most refilled, so forgetting it changes the least.
            self._left.popitem(last=False)
