"""Business events of money that comes back, for the chart of accounts: how each comes to be, and how it is played."""

from typing import Any

from django.test import override_settings
from django.utils import timezone

from multitask.payments.authorization import approvals
from multitask.payments.losses import (
    adjustments,
    booking,
    late_refunds,
    lost_reversals,
    outside_refunds,
    outside_reversals,
    write_offs,
)
from multitask.payments.losses.lost_reversals import Bearer
from multitask.payments.models import Adjustment, Chargeback, Operation, Receivable, Reversal
from multitask.payments.payouts import availability
from multitask.users.actor import Actor
from tests.integration.payments.test_chargebacks import close, contest, learn
from tests.integration.payments.test_unapplied_payments import second_payment
from tests.payments_world import SETTLING, Job, World, dollars, user_id


def contested(world: World) -> tuple[Job, str]:
    job = world.released()
    return job, contest(world, job)


def lost(world: World, job: Job) -> Chargeback:
    close(world, contest(world, job), "lost")
    return Chargeback.objects.latest("pk")


def paid_out(world: World) -> Job:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    return job


def book(world: World, chargeback: Chargeback) -> None:
    booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.work()


def book_within(limit: int, world: World, chargeback: Chargeback) -> None:
    with override_settings(RECEIVABLE_LIMIT_MINOR=limit):
        book(world, chargeback)


def booked(world: World) -> Chargeback:
    chargeback = lost(world, world.released())
    book(world, chargeback)
    return chargeback


def win_late(world: World, chargeback: Chargeback) -> None:
    close(world, chargeback.provider_dispute_id, "won")
    world.work()


def refunded_and_lost(world: World) -> Job:
    """A second payment that was refunded and charged back."""
    job = world.funded()
    second = second_payment(world, job)
    world.hear()
    second.refresh_from_db()
    dispute = world.sandbox.control("POST", "disputes", {"charge": second.provider_collection_id})["id"]
    learn(world, dispute)
    close(world, dispute, "lost")
    book(world, Chargeback.objects.latest("pk"))
    return job


def fail_late(world: World, job: Job) -> None:
    refund_id = str(job.refund.provider_refund_id)
    world.sandbox.control("POST", f"refunds/{refund_id}/fail")
    outside_refunds.confirm("stripe", world.provider.read_refund(refund_id), world.now)


def owing(world: World) -> Job:
    """A freelancer who owes 85.00, and their next work, ready to be released."""
    earlier = paid_out(world)
    book(world, lost(world, earlier))
    return world.completed(dollars("100.00"), freelancer=earlier.freelancer)


def give_back(world: World, job: Job) -> None:
    late_refunds.refund(
        actor=job.freelancer, escrow_id=job.escrow.pk, amount=dollars("40.00"), reason="agreed", now=world.now
    )
    world.work()


def given_back_in_vain(world: World) -> Job:
    job = world.released()
    give_back(world, job)
    world.learn_of_refund(job.refund)
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail")
    world.learn_of_refund(job.refund)
    return job


def give_up(world: World, job: Job) -> None:
    late_refunds.give_up(actor=world.staff(), refund_id=job.refund.pk, now=world.now)
    world.work()


def decide(world: World, asked: Any) -> None:
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()


def adjust(world: World, job: Job, amount: str) -> None:
    decide(world, adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars(amount), note="Our mistake", now=world.now
    ))  # fmt: skip


def rich(world: World) -> Job:
    """A freelancer, while the platform has enough of its own at the provider."""
    job = world.settled()
    world.funded(dollars("5000.00"))
    world.sandbox.settle()
    return job


def adjusted(world: World) -> Adjustment:
    adjust(world, rich(world), "5.00")
    return Adjustment.objects.latest("pk")


def reverse_adjustment(world: World, adjustment: Adjustment) -> None:
    transfer = Operation.objects.get(kind=adjustments.TRANSFER_ADJUSTMENT, subject_id=adjustment.pk)
    world.at_provider(f"transfers/{transfer.provider_reference}/reversals")
    world.hear()


def arrived(world: World) -> Adjustment:
    adjustment = adjusted(world)
    world.wait(hours=30)
    return adjustment


def indebted(world: World) -> Receivable:
    adjust(world, world.settled(), "-5.00")
    return Receivable.objects.latest("pk")


def write_off(world: World, receivable: Receivable) -> None:
    decide(world, write_offs.write_off(actor=world.staff(), receivable_id=receivable.pk, note="Too old", now=world.now))


def refused(world: World) -> Reversal:
    """A reversal that the provider refuses, since the payee's account was closed."""
    job = world.settled()
    chargeback = lost(world, job)
    booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.receive(world.deauthorized(str(world.account(job.freelancer).provider_account_id)))
    world.work()
    return Reversal.objects.latest("pk")


def leave(world: World, reversal: Reversal) -> None:
    lost_reversals.give_up(
        actor=world.staff(), reversal_id=reversal.pk, bearer=Bearer.PAYEE, note="It was closed", now=world.now
    )


def given_up(world: World) -> Reversal:
    reversal = refused(world)
    leave(world, reversal)
    return reversal


def win_given_up(world: World, reversal: Reversal) -> None:
    assert reversal.loss is not None
    assert reversal.loss.chargeback is not None
    win_late(world, reversal.loss.chargeback)


def given_up_and_recovered(world: World) -> Chargeback:
    """A loss whose reversal is given up; the payee owes it, and a later release has paid 51.00."""
    freelancer = Actor.of(given_up(world).escrow.freelancer)
    # Theirs was closed.
    world.create_account(freelancer)
    world.fill_in(freelancer)
    world.hear()
    world.released(dollars("60.00"), freelancer=freelancer)
    world.work()
    return Chargeback.objects.latest("pk")


def recovered(world: World) -> Chargeback:
    """A loss that the payee owes, and of which a later release has paid 51.00."""
    job = paid_out(world)
    chargeback = lost(world, job)
    booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.work()
    world.released(dollars("60.00"), freelancer=job.freelancer)
    world.work()
    return chargeback


def give_part_back(world: World, chargeback: Chargeback) -> None:
    given = {"outcome": "reinstated", "amount": 4_000}
    world.sandbox.control("POST", f"disputes/{chargeback.provider_dispute_id}", given)
    learn(world, chargeback.provider_dispute_id)


def reverse(world: World, job: Job) -> None:
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount="5000")
    world.hear()


def reversed_outside(world: World) -> Reversal:
    reverse(world, world.settled())
    return Reversal.objects.latest("pk")


def transfer_again(world: World, reversal: Reversal) -> None:
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=reversal.pk, now=world.now)
    world.work()


def settled_there(world: World) -> Job:
    """The provider has the money ready before it is available here."""
    world.now = timezone.now()  # Not ahead of the provider's clock, so that nothing has settled here.
    job = world.released()
    world.sandbox.settle(world.account(job.freelancer).provider_account_id)
    return job


def pay_out_there(world: World, job: Job) -> None:
    account = str(world.account(job.freelancer).provider_account_id)
    world.at_provider("payouts", account=account, amount="3000", currency="usd")
    world.hear()


def paid_out_ahead(world: World) -> Job:
    job = settled_there(world)
    pay_out_there(world, job)
    return job


def make_available(world: World, job: Job) -> None:
    world.wait(SETTLING)
    availability.make_available(escrow_id=job.escrow.pk, now=world.now)


LOSS_EVENTS = (
    (
        "The bank contests a payment after the release",
        "The provider takes the amount and its fee at once; the freelancer's share of this escrow is held.",
        lambda world: world.released(),
        contest,
    ),
    (
        "The chargeback is won",
        "The bank gives the amount back, and the share is free again.",
        contested,
        lambda world, found: close(world, found[1], "won"),
    ),
    (
        "A chargeback lost before the release is booked",
        "The escrow bears it.",
        lambda world: lost(world, world.started()),
        book,
    ),
    (
        "A chargeback lost after the release is booked",
        "The freelancer's share comes back from the connected account, and the platform returns its fee.",
        lambda world: lost(world, world.released()),
        book,
    ),
    (
        "A chargeback lost after the payout is booked",
        "The freelancer owes their part, here up to a limit of 60.00; the platform bears the rest.",
        lambda world: lost(world, paid_out(world)),
        lambda world, chargeback: book_within(6_000, world, chargeback),
    ),
    (
        "A later release pays what is owed",
        "Of the share of 85.00 all is used; nothing is transferred.",
        owing,
        lambda world, job: world.release(job),
    ),
    (
        "A booked loss is won later",
        "Everybody gets back what they bore; the freelancer's part is held until it has been transferred again.",
        booked,
        win_late,
    ),
    (
        "A refund after the release",
        "40.00 go back to the client: 34.00 from the freelancer's share, 6.00 from the platform's fee.",
        lambda world: world.released(),
        give_back,
    ),
    (
        "A refund after the release that failed is given up",
        "Those who bore it get it back; the freelancer's part is transferred again.",
        given_back_in_vain,
        give_up,
    ),
    (
        "An adjustment in a freelancer's favour",
        "It is transferred to their connected account.",
        rich,
        lambda world, job: adjust(world, job, "5.00"),
    ),
    (
        "The transfer of an adjustment is reversed at the provider without us",
        "The adjustment is taken back; here it is not available yet.",
        adjusted,
        reverse_adjustment,
    ),
    (
        "An adjustment against a freelancer",
        "They owe it.",
        lambda world: world.settled(),
        lambda world, job: adjust(world, job, "-5.00"),
    ),
    ("A receivable is written off", "The platform bears it.", indebted, write_off),
    (
        "A reversal that the provider refuses is given up",
        "The payee owes what stays in their closed account, or the platform bears it.",
        refused,
        leave,
    ),
    (
        "The loss behind a reversal that was given up does not last",
        "The account holds the payee's own money again, and they owe nothing.",
        given_up,
        win_given_up,
    ),
    (
        "The bank gives back a part of a loss that is booked",
        "40.00: the loss is undone and the 60.00 that the bank keeps are booked anew. What a later release has paid of"
        " the debt pays the new one.",
        recovered,
        give_part_back,
    ),
    (
        "The bank gives back a part of a loss whose reversal was given up",
        "40.00: of the 60.00 that it keeps, 51.00 stay given up as was decided, and what a later release has paid of"
        " the debt pays the new one.",
        given_up_and_recovered,
        give_part_back,
    ),
    (
        "A transfer is reversed at the provider without us",
        "50.00 came back; that part of the share is held until staff decides.",
        lambda world: world.settled(),
        reverse,
    ),
    (
        "The reversed share is transferred again",
        "It is the freelancer's again once it has arrived.",
        reversed_outside,
        transfer_again,
    ),
    (
        "A payout is made at the provider before the money is available here",
        "30.00 are paid out ahead.",
        settled_there,
        pay_out_there,
    ),
    (
        "The share that was paid out ahead settles",
        "What was paid out ahead is not made available again.",
        paid_out_ahead,
        make_available,
    ),
    (
        "A refund of a payment that fits no escrow fails after its charge was lost as well",
        "The payer has the money from the bank, so what came back bears the loss.",
        refunded_and_lost,
        fail_late,
    ),
    # Last, since it waits for longer than the provider's own clock.
    (
        "The adjustment becomes available",
        "A day after its transfer.",
        arrived,
        lambda world, adjustment: adjustments.make_available(adjustment_id=adjustment.pk, now=world.now),
    ),
)
