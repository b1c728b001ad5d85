"""Objects that exist from the start: the platform with its bank account, and the webhook endpoints of the settings."""

from __future__ import annotations

from sandboxes.stripe import banks, countries
from sandboxes.stripe.objects import account as accounts
from sandboxes.stripe.objects import bank_account, webhook_endpoint
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
        # Automatic payouts of a platform would drain the money that it holds for others.
        platform["settings"]["payouts"]["schedule"]["interval"] = "manual"
        sandbox.add(platform, sandbox.platform)
        _add_bank(sandbox)
    webhook_endpoint.configure(sandbox, sandbox.settings.webhooks)


def _add_bank(sandbox: Sandbox) -> None:
    country = sandbox.settings.platform_country
    details = {"country": country, "currency": countries.CURRENCIES[country], "account_number": banks.OK_NUMBER}
    bank = bank_account.build(sandbox, {**details, "routing_number": banks.US_ROUTING if country == "US" else None})
    bank |= {"account": sandbox.platform, "default_for_currency": True}
    bank.pop("created")
    sandbox.add(bank, sandbox.platform, parent=sandbox.platform)
