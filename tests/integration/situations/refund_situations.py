"""The situations of refunds after the release, and of refunds that fail then."""

from typing import Final

from multitask.payments.authorization import approvals
from multitask.payments.escrow import refunds, refunds_by_bank
from multitask.payments.losses import late_refunds
from multitask.payments.models import Refund
from tests.integration.situations.situations import AFTER_RELEASE, Situation, paid_out
from tests.payments_world import Job, World, dollars


def refund_late(world: World, job: Job, amount: str = "100.00") -> Refund:
    made = late_refunds.refund(
        actor=world.staff(), escrow_id=job.escrow.pk, amount=dollars(amount), reason="agreed", now=world.now
    )
    assert isinstance(made, Refund)
    world.work()
    return world.learn_of_refund(made)


def return_earnings(world: World, job: Job) -> None:
    made = late_refunds.refund(
        actor=job.freelancer, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now
    )
    assert isinstance(made, Refund)
    world.work()
    world.learn_of_refund(made)


def fail_late(world: World, job: Job) -> Refund:
    refund = refund_late(world, job)
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail")
    return world.learn_of_refund(refund)


def give_up_late(world: World, job: Job) -> None:
    refund = fail_late(world, job)
    late_refunds.give_up(actor=world.staff(), refund_id=refund.pk, now=world.now)
    world.work()


def partly_refunded_and_released(world: World) -> Job:
    """40.00 went back to the client, the rest was released."""
    job = world.completed()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    world.release(job)
    world.work()
    world.settle(job)
    return job


def fail_early(world: World, job: Job) -> Refund:
    """The bank sends the refund back, after the rest was released."""
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail")
    return world.learn_of_refund(job.refund)


def retry_early(world: World, job: Job) -> None:
    refunds.retry(actor=world.staff(), refund_id=fail_early(world, job).pk, now=world.now)
    world.work()
    world.learn_of_refund(job.refund)


def pay_by_bank(world: World, refund: Refund) -> None:
    asked = refunds_by_bank.record(
        actor=world.staff(), refund_id=refund.pk, note="Bank transfer 77 of today", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)


RELEASE_SITUATIONS: Final = (
    Situation(
        group=AFTER_RELEASE,
        title="The freelancer returns what was released",
        begin=lambda world: world.settled(),
        happen=return_earnings,
        state="released",
    ),
    Situation(
        group=AFTER_RELEASE,
        title="Staff refunds a part after the release",
        begin=lambda world: world.released(),
        happen=lambda world, job: refund_late(world, job, "40.00"),
        state="released",
    ),
    Situation(
        group=AFTER_RELEASE,
        title="Staff refunds after the payout",
        begin=paid_out,
        happen=refund_late,
        state="released",
    ),
    Situation(
        group=AFTER_RELEASE,
        title="A refund after the release fails",
        begin=lambda world: world.settled(),
        happen=fail_late,
        state="released",
    ),
    Situation(
        group=AFTER_RELEASE,
        title="A refund after the release fails and is given up",
        begin=lambda world: world.settled(),
        happen=give_up_late,
        state="released",
    ),
    Situation(
        group=AFTER_RELEASE,
        title="A refund after the release fails and is paid by bank transfer",
        begin=lambda world: world.settled(),
        happen=lambda world, job: pay_by_bank(world, fail_late(world, job)),
        state="released",
    ),
    Situation(
        group=AFTER_RELEASE,
        title="A refund before the release fails after it",
        begin=partly_refunded_and_released,
        happen=fail_early,
        state="released",
    ),
    Situation(
        group=AFTER_RELEASE,
        title="A refund before the release fails after it and is tried again",
        begin=partly_refunded_and_released,
        happen=retry_early,
        state="released",
    ),
    Situation(
        group=AFTER_RELEASE,
        title="A refund before the release fails after it and is paid by bank transfer",
        begin=partly_refunded_and_released,
        happen=lambda world, job: pay_by_bank(world, fail_early(world, job)),
        state="released",
    ),
)
