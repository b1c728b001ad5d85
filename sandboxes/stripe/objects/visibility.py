"""What of an intent is shown to whom: a publishable key, known to every browser, sees less."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe.sandbox import Sandbox

_HIDDEN = frozenset(
    (
        "amount_received", "application", "application_fee_amount", "customer", "latest_charge", "metadata",
        "on_behalf_of", "review", "statement_descriptor", "statement_descriptor_suffix", "transfer_data",
        "transfer_group",
    )
)  # fmt: skip


def visible(sandbox: Sandbox, intent: Doc) -> Doc:
    """Return the intent without what the caller's key is not shown."""
    if sandbox.call is None or not sandbox.call.publishable:
        return intent
    return {name: None if name in _HIDDEN else value for name, value in intent.items()}


def in_error(sandbox: Sandbox, intent: Doc) -> Doc:
    """Return the intent as an error about it carries it, so that a page learns in one call where it stands."""
    return sandbox.render(visible(sandbox, intent))
