"""The situations in which money moves at the provider without us."""

from typing import Final

from multitask.payments.authorization import approvals
from multitask.payments.losses import adjustments, lost_reversals, outside_refunds, outside_reversals
from multitask.payments.losses.lost_reversals import Bearer
from multitask.payments.models import Adjustment, Operation, Reversal, Withdrawal
from tests.integration.situations.bank import contest, lose
from tests.integration.situations.situations import OUTSIDE, Situation, disputed
from tests.payments_world import Job, World, dollars, user_id


def refund_outside(world: World, job: Job, amount: int) -> None:
    """A refund in the provider's dashboard."""
    world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id), amount=str(amount))
    world.hear()
    world.work()


def reverse_outside(world: World, job: Job) -> Reversal:
    """A reversal of the whole transfer in the provider's dashboard."""
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals")
    world.hear()
    return Reversal.objects.get()


def refund_outside_during_inquiry(world: World, job: Job) -> None:
    """A refund in the provider's dashboard, of which we learn before the inquiry that it ends."""
    contest(world, job, inquiry=True)
    payment = str(job.payment.provider_payment_id)
    made = world.at_provider("refunds", payment_intent=payment, amount="10000")
    outside_refunds.confirm("stripe", world.provider.read_refund(made["id"]), world.now)
    world.work()
    world.hear()


def reverse_and_refund_outside(world: World, job: Job) -> None:
    """A reversal and then a refund, both in the provider's dashboard."""
    reverse_outside(world, job)
    refund_outside(world, job, 10_000)


def reverse_and_transfer_again(world: World, job: Job) -> None:
    reversal = reverse_outside(world, job)
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=reversal.pk, now=world.now)
    world.work()


def reverse_and_refund(world: World, job: Job) -> None:
    reversal = reverse_outside(world, job)
    outside_reversals.refund_client(actor=world.staff(), reversal_id=reversal.pk, now=world.now)
    world.work()
    world.learn_of_refund(job.refund)


def pay_out_outside(world: World, job: Job, *, is_early: bool = False) -> None:
    """A payout that the freelancer makes in their account at the provider."""
    account = str(world.account(job.freelancer).provider_account_id)
    if is_early:
        world.sandbox.settle(account)
    world.at_provider("payouts", account=account, amount="3000", currency="usd")
    world.hear()
    world.arrive(Withdrawal.objects.latest("pk"))


def reverse_a_part(world: World, job: Job) -> Reversal:
    """A reversal of 50.00 of the transfer in the provider's dashboard."""
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount="5000")
    world.hear()
    return Reversal.objects.get()


def reverse_a_part_and_transfer_it_again(world: World, job: Job) -> None:
    reversal = reverse_a_part(world, job)
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=reversal.pk, now=world.now)
    world.work()


def lose_what_was_paid_ahead(world: World, job: Job) -> None:
    """The whole share is paid out ahead and then lost; finance gives up its reversal during the payout."""
    account = str(world.account(job.freelancer).provider_account_id)
    world.sandbox.settle(account)
    world.at_provider("payouts", account=account, amount="8500", currency="usd")
    world.hear()
    lose(world, job)
    lost_reversals.give_up(
        actor=world.staff(),
        reversal_id=Reversal.objects.get().pk,
        bearer=Bearer.PAYEE,
        note="It was paid out",
        now=world.now,
    )
    world.arrive(Withdrawal.objects.get())


def settled_with_money_to_spare(world: World) -> Job:
    """A share that is available, at a platform that has available money of its own."""
    world.give_the_platform_money()
    return world.settled()


def reverse_an_adjustment(world: World, job: Job) -> None:
    """An adjustment of 50.00 that is available, and the reversal of its transfer in the provider's dashboard."""
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("50.00"), note="Our mistake", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    adjustments.make_available(adjustment_id=Adjustment.objects.get().pk, now=world.now)
    transfer = Operation.objects.get(kind=adjustments.TRANSFER_ADJUSTMENT)
    world.at_provider(f"transfers/{transfer.provider_reference}/reversals")
    world.hear()


OUTSIDE_SITUATIONS: Final = (
    Situation(
        group=OUTSIDE,
        title="A part is refunded in the provider's dashboard before the release",
        begin=lambda world: world.completed(),
        happen=lambda world, job: refund_outside(world, job, 4_000),
        state="funded",
    ),
    Situation(
        group=OUTSIDE,
        title="The whole payment is refunded in the provider's dashboard",
        begin=lambda world: world.started(),
        happen=lambda world, job: refund_outside(world, job, 10_000),
        state="refunded",
    ),
    Situation(
        group=OUTSIDE,
        title="The payment is refunded in the provider's dashboard during a dispute",
        begin=disputed,
        happen=lambda world, job: refund_outside(world, job, 10_000),
        state="refunded",
    ),
    Situation(
        group=OUTSIDE,
        title="A part is refunded in the provider's dashboard after the release",
        begin=lambda world: world.settled(),
        happen=lambda world, job: refund_outside(world, job, 5_000),
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="The payment is refunded in the provider's dashboard during an inquiry after the release",
        begin=lambda world: world.settled(),
        happen=refund_outside_during_inquiry,
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="A transfer is reversed and its payment refunded in the provider's dashboard",
        begin=lambda world: world.settled(),
        happen=reverse_and_refund_outside,
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="A transfer is reversed in the provider's dashboard",
        begin=lambda world: world.settled(),
        happen=reverse_outside,
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="A transfer that was reversed in the dashboard is made again",
        begin=lambda world: world.settled(),
        happen=reverse_and_transfer_again,
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="What was reversed in the dashboard goes back to the client",
        begin=lambda world: world.settled(),
        happen=reverse_and_refund,
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="The freelancer pays out in their account at the provider",
        begin=lambda world: world.settled(),
        happen=pay_out_outside,
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="The freelancer pays out at the provider before the money is available here",
        begin=lambda world: world.released(),
        happen=lambda world, job: pay_out_outside(world, job, is_early=True),
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="A part of a transfer is reversed in the provider's dashboard",
        begin=lambda world: world.settled(),
        happen=reverse_a_part,
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="A part that was reversed in the dashboard is transferred again",
        begin=lambda world: world.settled(),
        happen=reverse_a_part_and_transfer_it_again,
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="A share that was paid out ahead is lost and its reversal given up",
        begin=lambda world: world.released(),
        happen=lose_what_was_paid_ahead,
        state="released",
    ),
    Situation(
        group=OUTSIDE,
        title="The transfer of an adjustment is reversed in the provider's dashboard",
        begin=settled_with_money_to_spare,
        happen=reverse_an_adjustment,
        state="released",
    ),
)
