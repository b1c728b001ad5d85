"""Refunds of what was released, while an inquiry or a reversal at the provider holds the payee's share: it serves them.

Each test ends with the ledger's provider accounts equal to what the offline provider itself recorded.
"""

import pytest
from pytest_django import Settings

from multitask.payments.errors import EscrowFrozen
from multitask.payments.escrow import permitted_actions
from multitask.payments.losses import late_refunds, outside_refunds, refund_losses
from multitask.payments.models import Chargeback, Loss, Receivable, Refund, Reversal
from multitask.payments.payouts import transfers
from tests.integration.payments.losing import parts, purse, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close, contest, learn
from tests.integration.payments.test_losses_undone import reverse_at_provider
from tests.integration.payments.test_money_moved_outside import refund_late, refunded_in_the_dashboard
from tests.payments_world import Job, World, dollars, held

__all__ = ["the_books_equal_the_providers"]


@pytest.fixture(autouse=True)
def little_may_be_owed(settings: Settings) -> None:
    """So that a loss which forgets what is held for it reaches the platform."""
    settings.RECEIVABLE_LIMIT_MINOR = 1_000


def refunded_before_other_news(world: World, job: Job, amount: int) -> None:
    """A refund in the dashboard whose webhook comes before that of everything else."""
    payment = str(job.payment.provider_payment_id)
    made = world.at_provider("refunds", payment_intent=payment, amount=str(amount))
    outside_refunds.confirm("stripe", world.provider.read_refund(made["id"]), world.now)
    world.work()


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_dashboard_refund_takes_what_an_inquiry_holds_for_it(world: World, is_settled: bool) -> None:
    job = world.settled() if is_settled else world.released()
    inquiry = contest(world, job, inquiry=True)
    refunded_before_other_news(world, job, 10_000)
    assert parts(Loss.objects.get()) == (0, 8_500, 1_500, 0, 0)
    assert (Chargeback.objects.get().held_minor, held(f"contested:{job.escrow.pk}")) == (0, 0)
    world.hear()
    learn(world, inquiry)
    assert (Chargeback.objects.get().status, job.escrow.frozen_at) == ("warning_closed", None)
    assert (purse(world, job), Receivable.objects.count()) == ((0, 0, 0), 0)


def test_a_partial_dashboard_refund_leaves_the_rest_held_by_the_inquiry(world: World) -> None:
    job = world.settled()
    inquiry = contest(world, job, inquiry=True)
    refunded_in_the_dashboard(world, job, 5_000)
    world.work()
    assert parts(Loss.objects.get()) == (0, 4_250, 750, 0, 0)
    assert (Chargeback.objects.get().held_minor, purse(world, job)) == (4_250, (0, 0, 0))
    close(world, inquiry, "won")
    assert purse(world, job) == (0, 4_250, 0)


def test_money_that_no_inquiry_holds_bears_a_dashboard_refund_first(world: World) -> None:
    job = world.settled()
    inquiry = contest(world, job, inquiry=True, amount=4_000)
    refunded_in_the_dashboard(world, job, 5_000)
    assert (Chargeback.objects.get().held_minor, purse(world, job)) == (3_400, (0, 850, 0))
    refunded_in_the_dashboard(world, job, 2_000)
    assert (Chargeback.objects.get().held_minor, purse(world, job)) == (2_550, (0, 0, 0))
    world.work()
    close(world, inquiry, "won")
    assert purse(world, job) == (0, 2_550, 0)


def test_a_dashboard_refund_leaves_what_a_chargeback_holds(world: World) -> None:
    job = world.settled()
    payment = str(job.payment.provider_payment_id)
    world.at_provider("refunds", payment_intent=payment, amount="6000")
    contest(world, job)  # Of the rest, before the news of the refund.
    world.hear()
    world.work()
    assert parts(Loss.objects.get()) == (0, 5_100, 900, 0, 0)
    assert (Chargeback.objects.get().held_minor, purse(world, job)) == (3_400, (0, 0, 0))


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_dashboard_refund_takes_what_was_reversed_in_the_dashboard(world: World, is_settled: bool) -> None:
    job = world.settled() if is_settled else world.released()
    reverse_at_provider(world, job, 8_500)
    refunded_in_the_dashboard(world, job, 10_000)
    world.work()
    assert parts(Loss.objects.get()) == (0, 8_500, 1_500, 0, 0)
    assert (Reversal.objects.get().is_decided, held(f"contested:{job.escrow.pk}")) == (True, 0)
    assert (purse(world, job), transfers.outstanding(job.escrow)) == ((0, 0, 0), dollars("0.00"))


def test_a_dashboard_refund_takes_a_part_of_what_was_reversed_in_the_dashboard(world: World) -> None:
    job = world.settled()
    reverse_at_provider(world, job, 8_500)
    refunded_in_the_dashboard(world, job, 4_000)
    world.work()
    reversal = Reversal.objects.get()
    assert parts(Loss.objects.get()) == (0, 3_400, 600, 0, 0)
    assert (reversal.is_decided, held(f"contested:{job.escrow.pk}")) == (False, 5_100)


def test_a_dashboard_refund_takes_the_rest_of_what_was_reversed_from_the_account(world: World) -> None:
    job = world.settled()
    reverse_at_provider(world, job, 5_000)
    refunded_in_the_dashboard(world, job, 10_000)
    world.work()
    assert parts(Loss.objects.get()) == (0, 8_500, 1_500, 0, 0)
    assert sorted(Reversal.objects.values_list("amount_minor", "is_decided", "state")) == [
        (3_500, True, "succeeded"), (5_000, True, "succeeded"),
    ]  # fmt: skip


def test_a_refund_during_an_inquiry_is_borne_as_its_preview_says(world: World) -> None:
    job = world.settled()
    contest(world, job, inquiry=True)
    previewed = refund_losses.preview(job.escrow, dollars("60.00"))
    refund = refund_late(world, job, actor=world.staff(), amount=dollars("60.00"))
    loss = Loss.objects.get(refund=refund)
    assert parts(loss) == (0, 5_100, 900, 0, 0)
    assert parts(loss) == (
        previewed.escrow, previewed.payee, previewed.fee, previewed.receivable, previewed.platform,
    )  # fmt: skip


def test_staff_may_answer_an_inquiry_after_the_release_with_a_refund_and_nobody_else(world: World) -> None:
    job, staff = world.settled(), world.staff()
    dispute = contest(world, job, inquiry=True)
    assert permitted_actions.allowed(staff, job.escrow) == ["refund_released"]
    for actor in (job.client, job.freelancer, world.staff("support")):
        assert permitted_actions.allowed(actor, job.escrow) == []
    close(world, dispute, "escalated")
    assert permitted_actions.allowed(staff, job.escrow) == []
    with pytest.raises(EscrowFrozen):
        late_refunds.refund(actor=staff, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now)
    assert not Refund.objects.exists()
