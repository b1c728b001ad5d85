"""Amounts that the provider cannot move are refused at once."""

import pytest
from pytest_django import Settings

from multitask.marketplace import tasks
from multitask.marketplace.errors import InvalidTask
from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import audit
from multitask.payments.errors import (
    AmountTooLarge,
    AmountTooPrecise,
    AmountTooSmall,
    CurrencyUnsupported,
    WrongState,
)
from multitask.payments.escrow import releases
from multitask.payments.models import Approval, Operation, Refund, Withdrawal
from multitask.payments.operations import amounts
from multitask.payments.payouts import withdrawals
from tests.payments_world import DECLINED, Job, World, dollars, held, routed


@pytest.mark.parametrize(
    ("price", "told"),
    [
        (Money(49, "USD"), "at least 0.50 USD"),
        (Money(1_234, "KWD"), "the nearest below is 1.230 KWD"),
        (Money(100_000_000, "USD"), "at most 999999.99 USD"),
    ],
)
def test_no_task_is_posted_at_a_price_that_cannot_be_paid(
    world: World, settings: Settings, price: Money, told: str
) -> None:
    settings.ROUTES = routed("USD", "KWD")
    with pytest.raises(InvalidTask) as refusal:
        tasks.post_task(actor=world.client(), now=world.now, title="Logo", description="Draw one", budget=price)
    assert told in refusal.value.fields["budget"]


@pytest.mark.parametrize(
    ("price", "error"),
    [
        (Money(49, "USD"), AmountTooSmall),
        (Money(5, "KWD"), AmountTooPrecise),
        (Money(100_000_000, "USD"), AmountTooLarge),
        (Money(5_000, "IQD"), CurrencyUnsupported),
    ],
)
def test_what_cannot_be_charged_is_not_asked_for(
    world: World, settings: Settings, price: Money, error: type[Exception]
) -> None:
    settings.ROUTES = routed("USD", "KWD")
    with pytest.raises(error):
        amounts.require_payable(price)


def test_shares_of_dinars_can_be_transferred(world: World, settings: Settings) -> None:
    settings.ROUTES = routed("KWD")
    job = world.funded(Money(10_010, "KWD"))
    terms = releases.timeline(job.escrow)[0].escrow
    assert terms is not None
    assert (terms.fee_minor, terms.freelancer_minor, terms.share_step) == (1_500, 8_510, 10)


def test_parts_of_dinars_are_refunded_in_steps(world: World, settings: Settings) -> None:
    settings.ROUTES = routed("KWD")
    job = world.funded(Money(10_010, "KWD"))
    with pytest.raises(AmountTooPrecise, match=r"the nearest below is 1.230 KWD"):
        world.refund(job, job.client, Money(1_234, "KWD"))
    assert not Refund.objects.exists()


def test_what_a_bank_cannot_take_is_not_withdrawn(world: World) -> None:
    job = world.settled()
    world.add_bank(job.freelancer, "HUF")
    before = Operation.objects.count()
    with pytest.raises(AmountTooPrecise, match=r"the nearest below is 850.00 HUF"):
        withdrawals.create(actor=job.freelancer, amount=Money(85_047, "HUF"), now=world.now)
    assert not Withdrawal.objects.exists()
    assert Operation.objects.count() == before
    assert amounts.largest_payout("stripe", Money(85_047, "HUF")) == Money(85_000, "HUF")


# -- one person's small decisions


@pytest.fixture
def split_up(world: World, settings: Settings) -> Job:
    """Four hundred dollars of which staff may refund a hundred alone."""
    settings.SECOND_PERSON_ABOVE_MINOR = 10_000
    return world.funded(dollars("400.00"))


def test_small_refunds_that_add_up_to_a_large_one_need_a_second_person(world: World, split_up: Job) -> None:
    staff = world.staff()
    assert isinstance(world.refund(split_up, staff, dollars("60.00")), Refund)
    world.work()
    approval = world.refund(split_up, staff, dollars("60.00"))
    assert isinstance(approval, Approval)
    assert held(f"escrow:{split_up.escrow.pk}") == 34_000
    approvals.decide(actor=world.staff(), approval_id=approval.pk, approve=False, now=world.now)
    assert isinstance(world.refund(split_up, world.staff(), dollars("40.00")), Refund)


def test_what_the_freelancer_gave_back_counts_for_nobody(world: World, split_up: Job) -> None:
    world.refund(split_up, split_up.freelancer, dollars("200.00"))
    world.work()
    assert not approvals.is_large(split_up.escrow, dollars("100.00"))
    assert approvals.is_large(split_up.escrow, dollars("100.01"))


# -- events of one side


def test_a_declined_card_is_shown_to_the_client_and_to_staff_alone(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job, DECLINED)
    world.learn_of_payment(job)
    (failed,) = [event for event in releases.timeline(job.escrow) if event.event == "payment_failed"]
    assert failed.note
    seen = [audit.is_visible(reader, failed) for reader in (job.client, world.staff(), job.freelancer)]
    assert seen == [True, True, False]


def test_nobody_refunds_past_a_colleague_who_was_asked(world: World, split_up: Job) -> None:
    staff = world.staff()
    approval = world.refund(split_up, staff, dollars("400.00"))
    assert isinstance(approval, Approval)
    with pytest.raises(WrongState):
        world.refund(split_up, staff, dollars("50.00"))
    approvals.decide(actor=world.staff(), approval_id=approval.pk, approve=False, now=world.now)
    assert isinstance(world.refund(split_up, staff, dollars("50.00")), Refund)


def test_a_transfer_that_was_refused_is_shown_to_the_freelancer_and_to_staff_alone(world: World) -> None:
    job = world.funded()
    event = audit.record("transfer_failed", actor=world.staff(), now=world.now, escrow=job.escrow, note="no capability")
    seen = [audit.is_visible(reader, event) for reader in (job.client, world.staff(), job.freelancer)]
    assert seen == [False, True, True]
