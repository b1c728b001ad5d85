"""How many inquiries a minute are answered: five, counted on the virtual clock, apart for each kind."""

from __future__ import annotations

from sandboxes.paymob import errors
from sandboxes.paymob.sandbox import Sandbox

MINUTE = 60


def count(sandbox: Sandbox, kind: str) -> None:
    """Count one inquiry of a kind. Raises 429 when there were too many within a minute."""
    most = sandbox.settings.inquiries_per_minute
    if not most:
        return
    now, name = sandbox.clock.exact(), f"rates.{kind}"
    recent = [moment for moment in sandbox.store.meta(name) or [] if moment > now - MINUTE]
    if len(recent) >= most:
        raise errors.throttled(max(1, int(recent[0] + MINUTE - now)))
    sandbox.store.remember(name, [*recent, now])
