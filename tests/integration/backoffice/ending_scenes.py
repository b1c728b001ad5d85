"""Scenes that only the staff can end: refused reversals, closed accounts, refunds of unknown outcome."""

from multitask.payments.losses import late_refunds
from multitask.payments.models import Operation, Reversal
from multitask.payments.payouts import reversals
from tests.integration.backoffice import scenes
from tests.payments_world import Job, World, dollars


def reversal_refused(world: World) -> tuple[int, dict[str, str]]:
    job, patch = world.settled(), scenes.refusing(reversals.CreateReversal)
    late_refunds.refund(actor=world.staff(), escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now)
    world.work()
    patch.undo()
    return Reversal.objects.get().pk, {}


def reversal_given_up(world: World) -> tuple[int, dict[str, str]]:
    return reversal_refused(world)[0], {"bearer": "payee"}


def closed(world: World, job: Job) -> None:
    """The freelancer ends the platform's access to the payout account."""
    world.receive(world.deauthorized(str(world.account(job.freelancer).provider_account_id)))
    world.work()


def from_closed(world: World) -> tuple[int, dict[str, str]]:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("60.00"))
    closed(world, job)
    return withdrawal.pk, {}


def in_closed(world: World) -> tuple[int, dict[str, str]]:
    job = world.settled()
    account_id = world.account(job.freelancer).pk
    closed(world, job)
    return account_id, {"written": "85.00", "currency": "USD"}


def undecided(world: World) -> tuple[int, dict[str, str]]:
    job = world.funded()
    world.refund(job)
    Operation.objects.filter(kind="create_refund").update(state="unknown", hold="outcome_unknown")
    return job.refund.pk, {}
