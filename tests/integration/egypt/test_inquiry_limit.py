"""Payouts are polled within the provider's limit of inquiries: what it stops is read first at the next poll."""

import uuid
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from multitask.payments.models import Disbursement
from multitask.payments.provider import DISBURSEMENTS_AT_ONCE
from multitask.providers.models import CallSlot
from multitask.webhooks import polling
from multitask.webhooks.models import PollPosition
from tests.egypt_world import STAYS_PENDING, EgyptWorld, disbursement_of, pounds

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# One for each group of open payouts, the oldest first.
AGES = (timedelta(days=45), timedelta(days=5), timedelta(hours=5), timedelta(minutes=5))


def of_every_age(world: EgyptWorld, issuer: str) -> list[Disbursement]:
    """Accepted payouts whose end the provider has not reported, the oldest first."""
    payees = [world.payee(STAYS_PENDING, issuer=issuer) for _ in AGES]
    for payee in payees:
        world.earned(payee)
    world.fill_budget(pounds("5000.00"))
    return [disbursement_of(world.withdrawn(payee, pounds("850.00"))) for payee in payees]


def poll(payouts: list[Disbursement], now: datetime) -> None:
    """Poll in a new minute, with the payouts as old as they shall be."""
    for payout, age in zip(payouts, AGES, strict=True):
        Disbursement.objects.filter(pk=payout.pk).update(created_at=now - age)
    CallSlot.objects.all().delete()
    polling.refresh_open(now=now)


def next_midnight(world: EgyptWorld) -> datetime:
    """A midnight at which a poll is made, as at the minute before."""
    midnight = (world.now + 2 * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    PollPosition.objects.update_or_create(name="minutes", defaults={"polled_at": midnight - MINUTE})
    return midnight


@pytest.mark.parametrize("issuer", ["orange", "instapay"])
@pytest.mark.parametrize("position", range(len(AGES)))
def test_a_payout_of_any_age_is_read_within_minutes(
    world: EgyptWorld, settings: Settings, issuer: str, position: int
) -> None:
    payouts = of_every_age(world, issuer)
    settings.PAYMOB_INQUIRIES_PER_MINUTE = 5
    ended = payouts[position]
    world.paymob.control("POST", f"payouts/{ended.provider_payout_id}", {"outcome": "succeed"})

    # At midnight all groups are due, and their inquiries are more than the limit.
    midnight = next_midnight(world)
    for minute in range(4):
        poll(payouts, midnight + minute * MINUTE)

    ended.refresh_from_db()
    assert ended.ended_at is not None


def test_a_payout_that_has_ended_is_read_again_within_minutes(world: EgyptWorld, settings: Settings) -> None:
    payouts = of_every_age(world, "instapay")
    settings.PAYMOB_INQUIRIES_PER_MINUTE = 5
    returned = payouts.pop()
    world.paymob.control("POST", f"payouts/{returned.provider_payout_id}", {"outcome": "succeed"})
    world.learn_of_disbursement(returned)
    world.paymob.control("POST", f"payouts/{returned.provider_payout_id}", {"outcome": "return"})

    midnight = next_midnight(world)
    for minute in range(4):
        poll([*payouts, returned], midnight + minute * MINUTE)

    assert returned.withdrawal is not None
    returned.withdrawal.refresh_from_db()
    assert returned.withdrawal.state == "failed"


def copy_payout(payout: Disbursement, number: int) -> None:
    """Have so many newer payouts beside one, which the provider knows nothing of."""
    withdrawal = payout.withdrawal
    assert withdrawal is not None
    for copied in range(number):
        withdrawal.pk, withdrawal.public_id, withdrawal.provider_payout_id = None, uuid.uuid4(), f"copy-{copied}"
        withdrawal.save(force_insert=True)
        payout.pk, payout.reference, payout.provider_payout_id = None, uuid.uuid4(), f"copy-{copied}"
        payout.withdrawal = withdrawal
        payout.save(force_insert=True)


@pytest.mark.breaks_the_books  # The copies have no history.
def test_the_oldest_of_many_is_read_though_each_minute_more_are_due(world: EgyptWorld, settings: Settings) -> None:
    oldest = of_every_age(world, "instapay")[0]
    copy_payout(Disbursement.objects.get(pk=oldest.pk), 2 * DISBURSEMENTS_AT_ONCE)
    world.paymob.control("POST", f"payouts/{oldest.provider_payout_id}", {"outcome": "succeed"})
    # Enough for one call about up to fifty payouts, which takes two inquiries.
    settings.PAYMOB_INQUIRIES_PER_MINUTE = 3

    # All are young, and due at each of these minutes.
    midnight = next_midnight(world)
    Disbursement.objects.update(created_at=midnight - 5 * MINUTE)
    for minute in range(3):
        CallSlot.objects.all().delete()
        polling.refresh_open(now=midnight + minute * MINUTE)

    oldest.refresh_from_db()
    assert oldest.ended_at is not None
