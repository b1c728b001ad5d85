"""What exists from the start: the budget of the settings."""

from __future__ import annotations

from sandboxes.paymob.objects import topup
from sandboxes.paymob.sandbox import Sandbox


def prepare(sandbox: Sandbox) -> None:
    """Top the budget up to what the settings say, once."""
    if sandbox.settings.budget and sandbox.store.meta("budget") is None:
        sandbox.store.remember("budget", sandbox.settings.budget)
        topup.decide(sandbox, topup.request(sandbox, sandbox.settings.budget), approved=True)
