"""What is open is asked about, often while it is young, so that no lost webhook keeps money waiting."""

from datetime import UTC, datetime, timedelta

import pytest

from multitask.payments.models import ConnectedAccount, Payment, Withdrawal
from multitask.webhooks import polling
from tests.payments_world import REFUNDED_LATER, World, dollars, user_id

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# Ahead of the provider's clock also when the day ends while the tests run.
MIDNIGHT = datetime.combine(datetime.now(UTC) + 2 * DAY, datetime.min.time(), UTC)


@pytest.fixture(autouse=True)
def begun_at_midnight(world: World) -> None:
    """What the polls are due at is counted from the full hours of a day."""
    world.now = MIDNIGHT


def asked_about(world: World, after: timedelta) -> list[str]:
    """The ids that are due so long after midnight."""
    return [event.object_id for event in polling.due(now=MIDNIGHT + after)]


@pytest.mark.parametrize(
    ("after", "is_due"),
    [
        (timedelta(seconds=29), False),
        (timedelta(seconds=31), True),
        (14 * MINUTE, True),
        (16 * MINUTE, False),
        (30 * MINUTE, True),
        (23 * HOUR + 45 * MINUTE, True),
        (DAY + 45 * MINUTE, False),
        (DAY + HOUR, True),
        (29 * DAY + HOUR, True),
        (31 * DAY, False),
    ],
)
def test_the_older_the_rarer(world: World, after: timedelta, is_due: bool) -> None:
    job = world.hired()
    world.ask_to_pay(job)

    assert (job.payment.provider_payment_id in asked_about(world, after)) is is_due


def test_a_payment_is_found_paid(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)

    assert polling.refresh_open(now=MIDNIGHT + MINUTE) == 1

    assert job.escrow.state == "funded"
    assert asked_about(world, 2 * MINUTE) == []


def test_a_payment_is_asked_about_until_its_money_has_a_date(world: World) -> None:
    job = world.funded()
    Payment.objects.update(available_at=None)

    polling.refresh_open(now=MIDNIGHT + MINUTE)

    assert job.payment.available_at is not None


def test_a_refund_under_way_is_asked_about(world: World) -> None:
    world.funded(dollars("500.00"))
    job = world.funded(card=REFUNDED_LATER)
    world.refund(job)
    world.work()
    assert job.refund.state == "pending"

    assert asked_about(world, MINUTE) == [job.refund.provider_refund_id]


def test_an_account_is_found_enabled(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    world.create_account(freelancer)
    world.fill_in(freelancer)

    polling.refresh_open(now=MIDNIGHT + MINUTE)

    assert ConnectedAccount.objects.get(user_id=user_id(freelancer)).onboarding_completed
    assert asked_about(world, 2 * MINUTE) == []


def test_a_payout_is_found_paid_and_once_a_day_found_sent_back(world: World) -> None:
    freelancer = world.freelancer()
    world.settled(freelancer=freelancer)
    asked_at = world.now
    withdrawal = world.withdrawn(freelancer, dollars("85.00"))
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
    polling.refresh_open(now=asked_at + MINUTE)
    assert Withdrawal.objects.get().state == "completed"

    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/fail")
    polling.refresh_open(now=asked_at + 2 * MINUTE)
    assert Withdrawal.objects.get().state == "completed"
    polling.refresh_open(now=datetime.combine(asked_at + DAY, datetime.min.time(), UTC))

    assert Withdrawal.objects.get().state == "failed"
    assert world.wallet(freelancer).available == dollars("85.00")


@pytest.mark.parametrize(("since", "is_due"), [(-MINUTE, True), (timedelta(0), True), (MINUTE, False)])
def test_a_poll_that_had_to_wait_does_what_fell_due_meanwhile(world: World, since: timedelta, is_due: bool) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    assert job.refund.state == "succeeded"

    due = [event.object_id for event in polling.due(now=MIDNIGHT + 3 * MINUTE, since=MIDNIGHT + since)]

    assert (job.refund.provider_refund_id in due) is is_due


def test_one_that_cannot_be_read_keeps_no_other_waiting(world: World) -> None:
    first, second = world.hired(), world.hired()
    for job in (first, second):
        world.ask_to_pay(job)
        world.pay(job)
    # The newest is read first.
    path = f"/v1/payment_intents/{second.payment.provider_payment_id}"
    world.sandbox.add_fault("error_before", method="GET", path=path)

    assert polling.refresh_open(now=MIDNIGHT + MINUTE) == 1

    assert (first.escrow.state, second.escrow.state) == ("funded", "pending_payment")
