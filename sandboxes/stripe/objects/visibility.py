"""Which fields of an intent a key may see: publishable keys, which browsers know, see fewer."""

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
    """Return the intent without the fields that the caller's key may not see."""
    if sandbox.call is None or not sandbox.call.publishable:
        return intent
    return {name: None if name in _HIDDEN else value for name, value in intent.items()}


def in_error(sandbox: Sandbox, intent: Doc) -> Doc:
    """Return the intent as an error about it carries it, so that a page needs no second call for its state."""
    return sandbox.render(visible(sandbox, intent))
