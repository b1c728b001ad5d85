"""What a sandbox has from the start: the platform's account, and the webhook endpoints given at start."""

from __future__ import annotations

from sandboxes.stripe.box import Box
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import webhook_endpoint


def prepare(box: Box) -> None:
    """Make what is not there yet."""
    if box.store.get(box.platform) is None:
        controller = {"type": "account", "fees": None, "losses": None, "stripe_dashboard": {"type": "full"}}
        platform = accounts.new(
            box, box.platform, country=box.settings.platform_country, kind="standard", controller=controller
        )
        for name in ("card_payments", "transfers"):
            platform["_capabilities"][name] = {"requested": True, "requested_at": platform["created"]}
        platform["business_profile"]["name"] = "Sandbox platform"
        box.add(platform, box.platform)
    webhook_endpoint.configure(box, box.settings.webhooks)
