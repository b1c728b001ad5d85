"""Losses that were undone while the payee's share had not left: it waits for a bank account in its currency."""

import pytest

from multitask.money import Money
from multitask.payments.losses import late_refunds
from multitask.payments.models import Operation, Refund
from tests.payments_world import Job, World, held, user_id


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


def refunded_and_given_up(world: World, job: Job, minor: int) -> None:
    """Somebody refunds in the dashboard, the client's bank sends it back, and finance gives it up."""
    made = world.at_provider("refunds", charge=job.charge_id, amount=str(minor))
    world.hear()
    world.sandbox.control("POST", f"refunds/{made['id']}/fail")
    world.hear()
    failed = Refund.objects.latest("pk")
    assert failed.state == "failed"
    late_refunds.give_up(actor=world.staff(), refund_id=failed.pk, now=world.now)
    world.work()


def transfers(job: Job) -> list[tuple[str, int]]:
    rows = Operation.objects.filter(kind="create_transfer", subject_id=job.escrow.pk).order_by("sequence")
    return [(row.state, row.arguments["amount_minor"]) for row in rows]


@pytest.mark.parametrize("amounts", [(14_000, 20_000), (5_000, 5_000, 20_000), (14_000, 3_000), (5_000, 5_000, 12_000)])
def test_the_share_is_transferred_once(world: World, amounts: tuple[int, ...]) -> None:
    job = world.released(euros(20_000))
    world.work()
    for minor in amounts:
        refunded_and_given_up(world, job, minor)
        waiting = [amount for state, amount in transfers(job) if state == "pending"]
        assert sum(waiting) == 17_000, transfers(job)
    world.add_bank(job.freelancer, "EUR")
    world.wait(days=3)
    world.work()
    world.hear()
    assert sum(amount for state, amount in transfers(job) if state == "succeeded") == 17_000
    assert (job.escrow.contested_minor, held(f"user:{user_id(job.freelancer)}:available", "EUR")) == (0, 17_000)
