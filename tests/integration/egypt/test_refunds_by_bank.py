"""Refunds that the platform paid from its own bank: the provider's total of a payment does not contain them."""

from dataclasses import replace

from multitask.marketplace import work
from multitask.payments.authorization import approvals
from multitask.payments.escrow import refunds_by_bank
from multitask.payments.losses import late_refunds, outside_refunds
from multitask.payments.models import Operation, Refund
from tests.egypt_world import EgyptWorld, pounds
from tests.payments_world import Job

TAKES_NO_REFUND = "4000000000005126"


def refund_late(world: EgyptWorld, job: Job, amount: str) -> None:
    late_refunds.refund(
        actor=job.freelancer, escrow_id=job.escrow.pk, amount=pounds(amount), reason="Late", now=world.now
    )


def paid_by_bank(world: EgyptWorld) -> Job:
    """A released job, of which 300 were refunded by bank, since the card did not take them."""
    payee = world.payee()
    job = world.hired(pounds("1000.00"), freelancer=payee)
    world.ask_to_pay(job)
    world.pay_there(job, card=TAKES_NO_REFUND)
    world.learn_of_payment(job)
    work.deliver(actor=payee, task_id=job.task_id, now=world.now)
    work.complete(actor=job.client, task_id=job.task_id, now=world.now)
    world.release(job)
    world.work()
    refund_late(world, job, "300.00")
    world.work()
    assert (job.refund.state, job.refund.holds_money) == ("failed", True)
    asked = refunds_by_bank.record(
        actor=world.staff("finance"), refund_id=job.refund.pk, note="Bank transfer 77", now=world.now
    )
    approvals.decide(actor=world.staff("finance"), approval_id=asked.pk, approve=True, now=world.now)
    assert (job.refund.state, job.refund.is_by_bank) == ("succeeded", True)
    return job


def test_a_refund_made_at_the_provider_shows_beside_one_paid_by_bank(world: EgyptWorld) -> None:
    job = paid_by_bank(world)
    seen = world.paymob_provider.read_payment(str(job.payment.provider_payment_id))
    outside_refunds.confirm_total("paymob", seen, world.now)
    assert not Refund.objects.filter(is_outside=True).exists()

    for _ in range(2):
        outside_refunds.confirm_total("paymob", replace(seen, refunded=pounds("300.00")), world.now)

    made = Refund.objects.get(is_outside=True)
    assert (made.amount, made.state) == (pounds("300.00"), "succeeded")


def test_one_paid_by_bank_does_not_count_in_the_search_for_the_next(world: EgyptWorld) -> None:
    job = paid_by_bank(world)
    world.paymob.add_fault("drop_request", method="POST", path="*/void_refund/refund", count=1)
    refund_late(world, job, "200.00")
    for _ in range(2):
        world.work()
        world.wait(minutes=5)

    operation = Operation.objects.filter(kind="create_refund").latest("pk")
    assert operation.state == "unknown"
    assert operation.last_error_code == "refund_not_seen", "the total is what it was before"
