"""Steps that most tests need: an onboarded freelancer, a paid intent."""

from __future__ import annotations

from typing import Any

import stripe

from tests.sandbox_process import SandboxProcess

CONTROLLER: Any = {
    "stripe_dashboard": {"type": "express"},
    "fees": {"payer": "application"},
    "losses": {"payments": "application"},
    "requirement_collection": "stripe",
}


def account(client: stripe.StripeClient, **more: Any) -> stripe.Account:
    """Create a connected account that wants transfers and is paid out by hand."""
    params: Any = {
        "country": "US",
        "controller": CONTROLLER,
        "capabilities": {"transfers": {"requested": True}},
        "settings": {"payouts": {"schedule": {"interval": "manual"}}},
        **more,
    }
    return client.v1.accounts.create(params)


def link(client: stripe.StripeClient, account_id: str) -> stripe.AccountLink:
    """Create an onboarding link."""
    return client.v1.account_links.create(
        {
            "account": account_id,
            "type": "account_onboarding",
            "refresh_url": "https://example.com/refresh",
            "return_url": "https://example.com/return",
        }
    )


def freelancer(sandbox: SandboxProcess, client: stripe.StripeClient, **fields: str) -> str:
    """Return the id of a connected account that finished onboarding."""
    created = account(client)
    sandbox.onboard(link(client, created.id).url, **fields)
    return created.id


def pay(client: stripe.StripeClient, amount: int, card: str = "pm_card_visa", **more: Any) -> stripe.PaymentIntent:
    """Create and confirm a payment intent."""
    params: Any = {
        "amount": amount,
        "currency": "usd",
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "payment_method": card,
        "confirm": True,
        **more,
    }
    return client.v1.payment_intents.create(params)


def usd(sandbox: SandboxProcess, account: str | None = None) -> tuple[int, int]:
    """Return the pending and the available dollars of an account, the platform's by default."""
    money = sandbox.money()
    assert set(money["sums"].values()) <= {0}
    held = money["accounts"].get(account or money["platform"], {"pending": {}, "available": {}})
    return held["pending"].get("usd", 0), held["available"].get("usd", 0)
