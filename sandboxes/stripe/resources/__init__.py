"""The endpoints; importing this package registers them all."""

from __future__ import annotations

from sandboxes.stripe.resources import (
    account_links,
    accounts,
    balance,
    capabilities,
    charges,
    customers,
    disputes,
    events,
    external_accounts,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    setup_intents,
    transfers,
    webhook_endpoints,
)

__all__ = [
    "account_links",
    "accounts",
    "balance",
    "capabilities",
    "charges",
    "customers",
    "disputes",
    "events",
    "external_accounts",
    "payment_intents",
    "payment_methods",
    "payouts",
    "refunds",
    "setup_intents",
    "transfers",
    "webhook_endpoints",
]
