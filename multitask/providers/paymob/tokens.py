"""Tokens of access, one per process and kind, renewed shortly before they end or when they are refused.

Two processes never share a token, so that one cannot end the other's. Within a process a lock has one thread renew
while the others wait: a refresh token may be used once only (secondary).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from multitask.payments.operations import boot_clock
from multitask.providers.paymob import errors

# A token is not used in its last minutes, so that it does not end on its way.
MARGIN: Final = timedelta(minutes=3)
SHORTEST: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token of access; `refresh` is the token that renews it, empty where there is none."""

    access: str
    lifetime: timedelta
    refresh: str = ""


class Tokens:
    """Keeps one token and renews it."""

    def __init__(self, obtain: Callable[[str], Token]) -> None:
        """Take the function that obtains a token, given the refresh token of the last or an empty text."""
        self._obtain = obtain
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._ends_at = 0.0

    def access(self, *, refused: str = "") -> str:
        """Return a token, another than `refused`, which the provider has just refused."""
        with self._lock:
            known = self._token
            if known is None or known.access == refused or boot_clock.seconds() >= self._ends_at:
                self._renew("" if known is None else known.refresh)
            assert self._token is not None  # noqa: S101
            return self._token.access

    def _renew(self, refresh: str) -> None:
        # Forgotten first: a refresh token whose answer is lost may be spent.
        self._token = None
        began = boot_clock.seconds()
        with errors.nothing_sent():
            token = self._obtain(refresh)
            self._token = token
            self._ends_at = began + max(token.lifetime - MARGIN, SHORTEST).total_seconds()
