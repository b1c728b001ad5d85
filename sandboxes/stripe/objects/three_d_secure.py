"""The 3-D Secure step of an intent: where the card holder goes to authenticate."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe import events
from sandboxes.stripe.sandbox import Sandbox


def challenge(sandbox: Sandbox, intent: Doc, return_url: str | None, *, by_script: bool) -> Doc:
    """Require authentication, by redirect when there is an address to return to, else by the page's script."""
    token = sandbox.ids.new("payatt_3" if intent["object"] == "payment_intent" else "setatt_1")
    url = f"{sandbox.base_url}/3ds/{intent['id']}/{token}"
    if return_url and not by_script:
        action: Doc = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    else:
        sdk = {"type": "three_d_secure_redirect", "stripe_js": url, "source": token}
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
    intent |= {"status": "requires_action", "next_action": action, "_challenge": token, "_return_url": return_url}
    sandbox.store.save(intent)
    events.emit(sandbox, f"{intent['object']}.requires_action", intent)
    return intent
