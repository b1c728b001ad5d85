"""Objects that exist from the start: the platform's account and the webhook endpoints of the settings."""

from __future__ import annotations

from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import webhook_endpoint
from sandboxes.stripe.sandbox import Sandbox


def prepare(sandbox: Sandbox) -> None:
    """Create those that do not exist yet."""
    if sandbox.store.get(sandbox.platform) is None:
        controller = {"type": "account", "fees": None, "losses": None, "stripe_dashboard": {"type": "full"}}
        platform = accounts.new(
            sandbox, sandbox.platform, country=sandbox.settings.platform_country, kind="standard", controller=controller
        )
        for name in ("card_payments", "transfers"):
            platform["_capabilities"][name] = {"requested": True, "requested_at": platform["created"]}
        platform["business_profile"]["name"] = "Sandbox platform"
        sandbox.add(platform, sandbox.platform)
    webhook_endpoint.configure(sandbox, sandbox.settings.webhooks)
