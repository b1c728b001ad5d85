"""Losses that do not last, and what met them meanwhile: refunds that fail, releases, reversals at the provider."""

import pytest
from django.utils import timezone

from multitask import due, jobs
from multitask.marketplace import work
from multitask.payments.errors import EscrowFrozen, WrongState
from multitask.payments.funding import unapplied_payments
from multitask.payments.losses import adjustments, late_refunds, outside_refunds, outside_reversals
from multitask.payments.models import Chargeback, HistoryRow, Operation, Refund, Reversal, Withdrawal
from multitask.payments.payouts import reversals, transfer_retries, transfers
from multitask.web.backoffice import work_queue
from tests.integration.payments.losing import book, lost, parts, purse, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close, contest, learn
from tests.integration.payments.test_money_moved_outside import approve, refund_late, reviewed
from tests.payments_world import Job, World, dollars, held, user_id

__all__ = ["the_books_equal_the_providers"]


def reverse_at_provider(world: World, job: Job, amount: int) -> Reversal:
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount=str(amount))
    world.hear()
    return Reversal.objects.get(is_outside=True)


def refunded(world: World, job: Job, amount: str) -> str:
    """Refund a part before the release; return the refund's id at the provider."""
    world.refund(job, job.freelancer, dollars(amount))
    world.work()
    return str(world.learn_of_refund(job.refund).provider_refund_id)


def test_a_refund_that_the_bank_returns_reopens_an_escrow_that_was_charged_back(world: World) -> None:
    job = world.started()
    refund_id = refunded(world, job, "30.00")
    book(world, lost(world, job, amount=7_000))
    assert job.escrow.state == "charged_back"
    world.sandbox.control("POST", f"refunds/{refund_id}/fail")
    world.learn_of_refund(job.refund)
    assert (job.escrow.state, job.escrow.remaining) == ("funded", dollars("30.00"))
    assert held(f"escrow:{job.escrow.pk}") == 3_000


def test_a_chargeback_won_later_reopens_an_escrow_whose_rest_was_refunded(world: World) -> None:
    job = world.started()
    chargeback = lost(world, job, amount=7_000)
    book(world, chargeback)
    close(world, chargeback.provider_dispute_id, "won")
    assert (job.escrow.state, job.escrow.remaining) == ("funded", dollars("100.00"))


def test_a_chargeback_of_refunded_money_that_is_won_later_leaves_the_escrow_closed(world: World) -> None:
    job = world.started()
    refunded(world, job, "30.00")
    book(world, lost(world, job, amount=7_000))
    second = lost(world, job, amount=3_000)
    assert parts(book(world, second)) == (0, 0, 0, 0, 3_000)
    close(world, second.provider_dispute_id, "won")
    assert (job.escrow.state, held("platform:losses")) == ("charged_back", 0)


def test_what_a_chargeback_took_before_the_release_is_released_when_it_is_won_later(world: World) -> None:
    job = world.completed()
    chargeback = lost(world, job, amount=4_000)
    book(world, chargeback)
    world.release(job)
    world.work()
    close(world, chargeback.provider_dispute_id, "won")
    assert (job.escrow.contested_minor, purse(world, job)) == (3_400, (5_100, 0, 0))
    world.work()
    assert (job.escrow.contested_minor, purse(world, job)) == (0, (8_500, 0, 0))
    assert held("platform:fees") == 1_500
    row = HistoryRow.objects.get(user_id=user_id(job.freelancer), reference=f"escrow:{job.escrow.pk}:release")
    assert (row.amount_minor, row.fee_minor) == (10_000, 1_500)


def test_a_reversal_at_the_provider_is_decided_when_the_chargeback_has_ended(world: World) -> None:
    job = world.settled()
    dispute = contest(world, job)
    reversal = reverse_at_provider(world, job, 5_000)
    with pytest.raises(EscrowFrozen):
        outside_reversals.transfer_again(actor=world.staff(), reversal_id=reversal.pk, now=world.now)
    close(world, dispute, "won")
    assert purse(world, job) == (0, 8_500, 0)
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=reversal.pk, now=world.now)
    world.work()
    assert (job.escrow.contested_minor, purse(world, job)) == (0, (0, 8_500, 0))
    assert transfers.outstanding(job.escrow) == dollars("0.00")


@pytest.mark.parametrize("decision", [outside_reversals.transfer_again, outside_reversals.refund_client])
def test_a_reversal_at_the_provider_whose_money_a_loss_used_needs_nothing_more(world: World, decision: object) -> None:
    job = world.settled()
    chargeback = lost(world, job)
    reversal = reverse_at_provider(world, job, 8_500)
    assert parts(book(world, chargeback)) == (0, 8_500, 1_500, 0, 0)
    assert callable(decision)
    decision(actor=world.staff(), reversal_id=reversal.pk, now=world.now)
    world.work()
    assert (Reversal.objects.get().is_decided, job.escrow.refunds.exists(), purse(world, job)) == (
        True, False, (0, 0, 0),
    )  # fmt: skip


def test_a_reversal_that_waits_for_money_is_given_up_when_the_loss_does_not_last(world: World) -> None:
    job = world.settled()
    chargeback = lost(world, job)
    # The payee pays the held money out in their own account before the loss is booked.
    account = str(world.account(job.freelancer).provider_account_id)
    world.at_provider("payouts", account=account, amount="8500", currency="usd")
    world.hear()
    world.arrive(Withdrawal.objects.get())
    assert parts(book(world, chargeback)) == (0, 8_500, 1_500, 0, 0)
    reversal = Reversal.objects.get()
    assert reversal.state == "pending"
    close(world, chargeback.provider_dispute_id, "won")
    world.work()
    assert Reversal.objects.get().state == "failed"
    assert (job.escrow.contested_minor, held(f"user:{user_id(job.freelancer)}:paid_ahead")) == (0, 0)
    with pytest.raises(WrongState):
        reversals.retry(actor=world.staff(), reversal_id=reversal.pk, now=world.now)


def undone_while_unknown(world: World, fault: str) -> Job:
    """A loss that did not last, whose reversal was sent without an answer before."""
    job = world.settled()
    chargeback = lost(world, job)
    world.sandbox.add_fault(fault, method="POST", path="/v1/transfers/*/reversals", count=1)
    book(world, chargeback)
    assert Operation.objects.get(kind="create_reversal").state == "unknown"
    close(world, chargeback.provider_dispute_id, "won")
    world.work()
    assert (job.transfer.state, job.transfer.hold) == ("pending", "awaits_reversal")
    return job


def test_a_reversal_that_did_not_happen_is_not_made_when_the_loss_does_not_last(world: World) -> None:
    job = undone_while_unknown(world, "drop_request")
    world.wait(minutes=5)
    world.work()
    assert (Reversal.objects.get().state, job.escrow.contested_minor) == ("failed", 0)
    assert (job.transfer.last_error_code, purse(world, job)) == ("not_needed", (0, 8_500, 0))
    assert not work_queue.refused_transfers(world.now).exists()


def test_a_reversal_that_is_refused_after_the_loss_was_undone_frees_the_share(world: World) -> None:
    job = undone_while_unknown(world, "drop_request")
    world.receive(world.deauthorized(str(world.account(job.freelancer).provider_account_id)))
    world.wait(minutes=5)
    world.work()
    assert (Reversal.objects.get().state, job.escrow.contested_minor) == ("failed", 0)
    assert held(f"user:{user_id(job.freelancer)}:available") == 8_500


def test_a_reversal_that_happened_is_made_good_when_the_loss_does_not_last(world: World) -> None:
    job = undone_while_unknown(world, "drop_response")
    world.wait(minutes=5)
    world.work()
    assert (Reversal.objects.get().state, job.escrow.contested_minor) == ("succeeded", 0)
    assert (job.transfer.state, purse(world, job)) == ("succeeded", (0, 8_500, 0))


def test_a_loss_of_a_payment_beside_the_escrow_that_does_not_last_is_not_released(world: World) -> None:
    job = reviewed(world)
    beside = job.payment
    world.ask_to_pay(job)
    world.pay(job)
    world.hear()
    work.start(actor=job.freelancer, task_id=job.task_id, now=world.now)
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    work.complete(actor=job.client, task_id=job.task_id, now=world.now)
    world.release(job)
    world.onboard(job.freelancer)
    world.work()
    made = world.sandbox.control("POST", "disputes", {"charge": beside.provider_collection_id})
    learn(world, made["id"])
    close(world, made["id"], "lost")
    assert parts(book(world, Chargeback.objects.get())) == (9_000, 0, 0, 0, 0)
    close(world, made["id"], "won")
    world.work()
    assert (held(f"unapplied:{beside.pk}"), purse(world, job)) == (9_000, (8_500, 0, 0))


def test_one_periodic_job_makes_an_adjustment_available(world: World) -> None:
    job = world.settled()
    world.give_the_platform_money()
    person = user_id(job.freelancer)
    approve(
        world,
        adjustments.adjust(
            actor=world.staff(), user_id=person, amount=dollars("5.00"), note="Our mistake", now=world.now
        ),
    )
    arrived = Operation.objects.filter(kind=adjustments.TRANSFER_ADJUSTMENT)
    arrived.update(finished_at=timezone.now() - adjustments.SETTLES_AFTER)
    assert [name for name in ("make_due_available", "make_adjustments_available") if due.CHECKS[name](world.now)] == [
        "make_adjustments_available"
    ]
    jobs.make_due_available(timestamp=0)
    assert purse(world, job) == (500, 8_500, 0)
    jobs.make_adjustments_available(timestamp=0)
    assert purse(world, job) == (0, 9_000, 0)


def test_a_refund_in_the_dashboard_that_failed_before_we_learned_of_it_changes_nothing(world: World) -> None:
    job = world.completed()
    made = world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id), amount="4000")
    world.sandbox.control("POST", f"refunds/{made['id']}/fail")
    outside_refunds.confirm("stripe", world.provider.read_refund(made["id"]), world.now)
    assert not job.escrow.refunds.exists()
    assert job.escrow.remaining == dollars("100.00")


def test_a_share_is_transferred_from_the_balance_when_its_payment_was_refunded_in_the_dashboard(world: World) -> None:
    job = world.settled()
    refund_late(world, job)
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail")
    failed = world.learn_of_refund(job.refund)
    world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id))
    world.hear()
    world.work()
    world.give_the_platform_money()
    late_refunds.give_up(actor=world.staff(), refund_id=failed.pk, now=world.now)
    world.work()
    assert job.transfer.state == "failed"
    transfer_retries.retry(actor=world.staff(), escrow_id=job.escrow.pk, now=world.now)
    world.work()
    assert (job.transfer.state, job.escrow.contested_minor) == ("succeeded", 0)
    # The refund in the dashboard waited for the decision about ours, and takes what ours gave back.
    world.wait(minutes=20)
    world.work()
    assert (held("platform:losses"), purse(world, job)) == (0, (0, 0, 0))


def test_a_reversal_at_the_provider_of_which_nothing_can_be_refunded_is_transferred_again(world: World) -> None:
    job = world.settled()
    reversal = reverse_at_provider(world, job, 5_000)
    world.arrive(world.withdrawn(job.freelancer, dollars("35.00")))
    world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id))
    world.hear()
    world.work()
    with pytest.raises(WrongState):
        outside_reversals.refund_client(actor=world.staff(), reversal_id=reversal.pk, now=world.now)


def test_a_payment_that_was_returned_is_taken_once_more_and_given_back(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
    world.pay(job)
    world.hear()
    returned = unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    assert isinstance(returned, Refund)
    world.work()
    world.learn_of_refund(returned)
    made = world.sandbox.control("POST", "disputes", {"charge": job.payment.provider_collection_id})
    close(world, made["id"], "lost")
    assert parts(book(world, Chargeback.objects.get())) == (0, 0, 0, 0, 9_000)
    close(world, made["id"], "won")
    assert (job.payment.state, held("platform:losses")) == ("returned", 0)
