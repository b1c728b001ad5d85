"""What a bank does with a payment of a card: it contests it, asks about it, warns of fraud, and decides."""

from typing import Any

from multitask.payments.losses import (
    acceptance,
    booking,
    chargebacks,
    evidence,
    fraud_warnings,
    late_refunds,
    outside_refunds,
)
from multitask.payments.models import Chargeback, FraudWarning
from multitask.payments.provider import EvidenceText
from tests.payments_world import Job, World


def contest(world: World, job: Job, **more: Any) -> Chargeback:
    """Open a chargeback at the provider and learn of it."""
    made = world.sandbox.control("POST", "disputes", {"charge": job.charge_id, **more})
    return learn(world, made["id"])


def learn(world: World, dispute_id: str) -> Chargeback:
    chargebacks.confirm("stripe", world.provider.read_dispute(dispute_id), world.now)
    return Chargeback.objects.get(provider_dispute_id=dispute_id)


def end(world: World, chargeback: Chargeback, outcome: str) -> Chargeback:
    world.sandbox.control("POST", f"disputes/{chargeback.provider_dispute_id}", {"outcome": outcome})
    return learn(world, chargeback.provider_dispute_id)


def answer(world: World, job: Job, verdict: str) -> Chargeback:
    """A chargeback that is answered with evidence, on which the bank decides."""
    chargeback, staff = contest(world, job), world.staff()
    texts = {EvidenceText.REMARKS: verdict}
    evidence.edit(actor=staff, chargeback_id=chargeback.pk, texts=texts, now=world.now)
    evidence.submit(actor=staff, chargeback_id=chargeback.pk, now=world.now)
    world.work()
    world.sandbox.advance(0, wait=False)
    return learn(world, chargeback.provider_dispute_id)


def accept(world: World, job: Job) -> Chargeback:
    """A chargeback that finance accepts and books."""
    chargeback = contest(world, job)
    acceptance.accept(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.work()
    booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.work()
    return chargeback


def refund_inquiry(world: World, job: Job) -> None:
    """An inquiry that ends because staff refunds the client."""
    contest(world, job, inquiry=True)
    world.refund(job, world.staff())
    world.work()
    world.hear()


def refund_inquiry_late(world: World, job: Job) -> None:
    """An inquiry about money that was released, which ends because staff refunds the client."""
    contest(world, job, inquiry=True)
    late_refunds.refund(actor=world.staff(), escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now)
    world.work()
    world.hear()


def warn(world: World, job: Job) -> FraudWarning:
    """The bank of the card suspects fraud."""
    world.events()
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": job.charge_id})
    world.hear()
    return FraudWarning.objects.get(escrow=job.escrow)


def refund_warning(world: World, job: Job) -> None:
    """A fraud warning that ends because staff refunds the client in time."""
    fraud_warnings.refund(actor=world.staff(), warning_id=warn(world, job).pk, now=world.now)
    world.work()
    world.hear()


def refund_warning_of_another_payment(world: World, job: Job) -> None:
    """A fraud warning about a payment of another amount, after the client has paid anew."""
    world.ask_to_pay(job)
    wrong = job.payment
    world.at_provider(f"payment_intents/{wrong.provider_payment_id}", amount="9000")
    world.pay(job)
    world.hear()
    world.ask_to_pay(job)
    world.pay(job)
    world.hear()
    wrong.refresh_from_db()
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": wrong.provider_collection_id})
    world.hear()
    fraud_warnings.refund(actor=world.staff(), warning_id=FraudWarning.objects.get().pk, now=world.now)
    world.work()
    world.hear()


def lose(world: World, job: Job, **more: Any) -> Chargeback:
    """A chargeback that is lost, whose loss finance books."""
    chargeback = end(world, contest(world, job, **more), "lost")
    booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.work()
    return chargeback


def refunded_and_lost(world: World) -> Job:
    """The whole payment went back to the client twice: by a refund, then by a chargeback."""
    job = world.started()
    world.refund(job, job.freelancer)
    world.work()
    world.learn_of_refund(job.refund)
    lose(world, job, amount=10_000)
    return job


def bounce(world: World, job: Job) -> None:
    """The client's bank sends a refund back that was paid."""
    refund_id = str(job.refund.provider_refund_id)
    world.sandbox.control("POST", f"refunds/{refund_id}/fail")
    outside_refunds.confirm("stripe", world.provider.read_refund(refund_id), world.now)


def reinstate(world: World, chargeback: Chargeback, outcome: str) -> Chargeback:
    """The bank gives back 40.00 of a chargeback and keeps the rest."""
    given = {"outcome": outcome, "amount": 4_000}
    world.sandbox.control("POST", f"disputes/{chargeback.provider_dispute_id}", given)
    changed = learn(world, chargeback.provider_dispute_id)
    world.work()
    return changed


def win_a_part(world: World, job: Job) -> None:
    """A chargeback that is won, of which the bank keeps 60.00, which finance books."""
    chargeback = reinstate(world, contest(world, job), "won")
    booking.book(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.work()


def ask_again(world: World, job: Job) -> None:
    """An inquiry that was closed and becomes a chargeback all the same."""
    end(world, end(world, contest(world, job, inquiry=True), "won"), "escalated")
    world.work()


def win(world: World, job: Job, **more: Any) -> None:
    end(world, contest(world, job, **more), "won")
    world.work()


def lose_and_win(world: World, job: Job) -> None:
    end(world, lose(world, job), "won")
    world.work()


def closed_before_created(world: World, job: Job) -> None:
    made = world.sandbox.control("POST", "disputes", {"charge": job.charge_id})
    world.sandbox.control("POST", f"disputes/{made['id']}", {"outcome": "lost"})
    events = [event for event in world.events() if event["type"].startswith("charge.dispute.")]
    for event in reversed(events):
        world.receive(event)
    world.work()


def escalate(world: World, job: Job) -> None:
    end(world, contest(world, job, inquiry=True), "escalated")
