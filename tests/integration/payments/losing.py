"""Losses in tests: how they come about, what they take from whom, and that the books equal the provider's."""

from collections.abc import Iterator
from typing import Any

import pytest

from multitask.payments.losses import booking
from multitask.payments.models import Chargeback, HistoryRow, Loss
from tests import provider_money
from tests.integration.payments.test_chargebacks import close, contest
from tests.payments_world import Job, World


@pytest.fixture(autouse=True)
def the_books_equal_the_providers(world: World) -> Iterator[None]:
    """Compare both records after the test; the platform's account is shared with other tests."""
    # Chargebacks of other tests may have taken more than the platform had.
    world.at_provider("topups", amount="1000000", currency="usd", description="Float", statement_descriptor="Float")
    world.sandbox.settle()
    before = provider_money.theirs(world.sandbox.money()).get("platform", {})
    yield
    after = provider_money.theirs(world.sandbox.money())
    platform = after.pop("platform", {})
    moved = {name: platform.get(name, 0) - before.get(name, 0) for name in platform.keys() | before.keys()}
    after["platform"] = {currency: amount for currency, amount in moved.items() if amount}
    assert provider_money.ours() == {owner: sums for owner, sums in after.items() if sums}


def lost(world: World, job: Job, **more: Any) -> Chargeback:
    close(world, contest(world, job, **more), "lost")
    return Chargeback.objects.latest("pk")


def book(world: World, chargeback: Chargeback) -> Loss:
    booked = booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    assert isinstance(booked, Loss)
    world.work()
    return booked


def parts(loss: Loss) -> tuple[int, int, int, int, int]:
    return (loss.escrow_minor, loss.payee_minor, loss.fee_minor, loss.receivable_minor, loss.platform_minor)


def purse(world: World, job: Job) -> tuple[int, int, int]:
    wallet = world.wallet(job.freelancer)
    return (wallet.pending.amount_minor, wallet.available.amount_minor, wallet.withdrawing.amount_minor)


def row(person: int, reference: str) -> tuple[str, str, int]:
    found = HistoryRow.objects.get(user_id=person, reference=reference)
    return (found.status, found.direction, found.amount_minor)
