"""Payout accounts that end and are replaced, for tests of what becomes of their money."""

from multitask.payments.models import ConnectedAccount
from multitask.users.actor import Actor
from tests.payments_world import World, held


def reject(world: World, actor: Actor) -> ConnectedAccount:
    """Reject the account of a freelancer at the provider, and hear of it; return it."""
    account = world.account(actor)
    world.sandbox.control("POST", f"accounts/{account.provider_account_id}", {"disabled_reason": "rejected.other"})
    world.hear()
    account.refresh_from_db()
    assert account.rejection
    return account


def succeed(world: World, actor: Actor) -> ConnectedAccount:
    """Open a successor and complete it."""
    successor = world.create_account(actor)
    world.fill_in(actor)
    world.hear()
    return successor


def in_account(account: ConnectedAccount, currency: str = "USD") -> int:
    return -held(f"provider:stripe:account:{account.pk}", currency)
