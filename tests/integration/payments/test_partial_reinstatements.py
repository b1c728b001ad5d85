"""The bank gives back a part of a chargeback, or takes money for what had ended: what it keeps is what counts."""

from datetime import timedelta
from typing import Any

import pytest

from multitask.payments.books import receivables
from multitask.payments.losses import chargebacks
from multitask.payments.models import Chargeback, Loss, Receivable, Reversal
from multitask.web.backoffice import work_queue
from tests.integration.payments.losing import book, lost, parts, purse, row, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close, contest, learn
from tests.payments_world import Job, World, dollars, held, user_id

__all__ = ["the_books_equal_the_providers"]


def end(world: World, dispute_id: str, outcome: str, amount: int | None = None) -> Chargeback:
    given: dict[str, Any] = {"outcome": outcome} | ({} if amount is None else {"amount": amount})
    world.sandbox.control("POST", f"disputes/{dispute_id}", given)
    for _time in range(2):
        learn(world, dispute_id)
        world.work()
    return Chargeback.objects.get(provider_dispute_id=dispute_id)


def standing(chargeback: Chargeback) -> tuple[str, int, int]:
    return (chargeback.status, chargeback.taken_minor, held(f"chargeback:{chargeback.pk}"))


def lasting() -> Loss:
    return Loss.objects.get(reversed_at=None)


@pytest.mark.parametrize("outcome", ["reinstated", "won"])
def test_a_part_that_comes_back_goes_to_those_who_bore_it(world: World, outcome: str) -> None:
    job = world.settled()
    chargeback = lost(world, job)
    book(world, chargeback)
    chargeback = end(world, chargeback.provider_dispute_id, outcome, 4_000)
    assert standing(chargeback) == ("lost", 6_000, 0)
    assert parts(lasting()) == (0, 5_100, 900, 0, 0)
    assert purse(world, job) == (0, 3_400, 0)
    assert job.escrow.frozen_at is None
    assert row(user_id(job.freelancer), f"chargeback:{chargeback.pk}") == ("completed", "out", 5_100)
    assert not work_queue.unexplained_chargebacks(world.now).exists()


def test_those_who_bear_last_get_back_first(world: World, settings: Any) -> None:
    settings.RECEIVABLE_LIMIT_MINOR = 5_000
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    chargeback = lost(world, job)
    assert parts(book(world, chargeback)) == (0, 0, 1_500, 5_000, 3_500)
    owed_since = Receivable.objects.get().created_at
    world.wait(days=3)
    end(world, chargeback.provider_dispute_id, "reinstated", 4_000)
    assert parts(lasting()) == (0, 0, 900, 5_000, 100)
    end(world, chargeback.provider_dispute_id, "reinstated", 2_000)
    assert parts(lasting()) == (0, 0, 600, 3_400, 0)
    assert receivables.owed(user_id(job.freelancer), "USD") == dollars("34.00")
    assert Receivable.objects.get(loss=lasting()).created_at == owed_since


def test_what_was_recovered_pays_what_is_still_owed(world: World) -> None:
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    chargeback = lost(world, job)
    book(world, chargeback)
    world.released(dollars("60.00"), freelancer=job.freelancer)
    assert receivables.owed(user_id(job.freelancer), "USD") == dollars("34.00")
    end(world, chargeback.provider_dispute_id, "reinstated", 4_000)
    assert receivables.owed(user_id(job.freelancer), "USD") == dollars("0.00")
    assert purse(world, job) == (0, 0, 0)


def test_an_escrow_gets_back_what_it_had_borne(world: World) -> None:
    job = world.started()
    chargeback = lost(world, job)
    book(world, chargeback)
    assert job.escrow.state == "charged_back"
    end(world, chargeback.provider_dispute_id, "reinstated", 4_000)
    assert parts(lasting()) == (6_000, 0, 0, 0, 0)
    assert (job.escrow.state, held(f"escrow:{job.escrow.pk}")) == ("funded", 4_000)


def test_a_part_that_comes_back_before_the_loss_is_booked_is_not_lost(world: World) -> None:
    job = world.settled()
    chargeback = end(world, lost(world, job).provider_dispute_id, "reinstated", 4_000)
    assert parts(book(world, chargeback)) == (0, 5_100, 900, 0, 0)
    assert purse(world, job) == (0, 3_400, 0)


def test_what_the_bank_keeps_of_a_chargeback_that_was_won_is_lost(world: World) -> None:
    job = world.settled()
    chargeback = end(world, contest(world, job), "won", 4_000)
    assert standing(chargeback) == ("lost", 6_000, -6_000)
    assert job.escrow.frozen_at is not None
    assert purse(world, job) == (0, 0, 0)
    assert work_queue.unbooked_losses(world.now).get() == chargeback
    assert parts(book(world, chargeback)) == (0, 5_100, 900, 0, 0)
    assert purse(world, job) == (0, 3_400, 0)
    assert held(f"chargeback:{chargeback.pk}") == 0


def test_the_rest_that_comes_back_later_undoes_the_loss(world: World) -> None:
    job = world.settled()
    chargeback = end(world, contest(world, job), "won", 4_000)
    book(world, chargeback)
    chargeback = end(world, chargeback.provider_dispute_id, "reinstated")
    assert standing(chargeback) == ("won", 0, 0)
    assert not Loss.objects.filter(reversed_at=None).exists()
    assert (purse(world, job), job.escrow.frozen_at) == ((0, 8_500, 0), None)


def reversal_under_way(world: World, fault: str) -> tuple[Job, Chargeback]:
    """The outcome of the payee's reversal is unknown when the bank gives back 40.00 of the loss."""
    job = world.settled()
    world.sandbox.settle(world.account(job.freelancer).provider_account_id)
    chargeback = lost(world, job)
    world.sandbox.add_fault(fault, method="POST", path="/v1/transfers/*/reversals", count=1)
    book(world, chargeback)
    return job, end(world, chargeback.provider_dispute_id, "reinstated", 4_000)


def test_a_reversal_under_way_belongs_to_what_is_booked_anew(world: World) -> None:
    job, _chargeback = reversal_under_way(world, "drop_response")
    world.wait(minutes=10)
    world.work()
    world.hear()
    assert {each.state for each in Reversal.objects.all()} == {"succeeded"}
    assert purse(world, job) == (0, 3_400, 0)


@pytest.mark.parametrize("make", ["settled", "started"])
def test_a_closed_inquiry_that_becomes_a_chargeback_holds_the_money(world: World, make: str) -> None:
    job: Job = getattr(world, make)()
    dispute = contest(world, job, inquiry=True)
    close(world, dispute, "won")
    assert (Chargeback.objects.get().status, job.escrow.frozen_at) == ("warning_closed", None)
    chargeback = end(world, dispute, "escalated")
    assert standing(chargeback) == ("needs_response", 10_000, -10_000)
    assert (chargeback.closed_at, job.escrow.frozen_at) == (None, world.now)
    assert purse(world, job) == (0, 0, 0)
    assert row(user_id(job.client), f"chargeback:{chargeback.pk}")[0] == "pending"
    end(world, dispute, "lost")
    assert book(world, chargeback).amount == dollars("100.00")


def test_money_that_does_not_come_after_a_win_is_shown_to_the_staff(world: World) -> None:
    job = world.settled()
    dispute = contest(world, job)
    open_state = world.provider.read_dispute(dispute)
    close(world, dispute, "won")
    assert not work_queue.unexplained_chargebacks(world.now + timedelta(days=8)).exists()
    Chargeback.objects.update(taken_minor=10_000)  # As if the bank's money had not come.
    assert not work_queue.unexplained_chargebacks(world.now + timedelta(days=6)).exists()
    assert work_queue.unexplained_chargebacks(world.now + timedelta(days=8)).exists()
    Chargeback.objects.update(taken_minor=0)
    chargebacks.confirm("stripe", open_state, world.now)  # Old news opens nothing.
    assert (Chargeback.objects.get().status, job.escrow.frozen_at) == ("won", None)
