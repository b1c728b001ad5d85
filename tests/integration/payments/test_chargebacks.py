"""Chargebacks: the cardholder's bank contests a payment, and its escrow is frozen."""

from typing import Any

import pytest

from multitask.payments.errors import DisputeOpen, EscrowFrozen, UnknownObject
from multitask.payments.escrow import auto_release, disputes, refunds
from multitask.payments.losses import chargebacks
from multitask.payments.models import Chargeback
from multitask.payments.payouts import availability
from multitask.payments.provider import ChargebackState, ChargebackStatus
from tests.payments_world import CONTESTED, SETTLING, Job, World, dollars, held

WON = [
    "chargeback_opened", "chargeback_withdrawn", "frozen", "chargeback_reinstated", "chargeback_won", "unfrozen",
]  # fmt: skip


def contest(world: World, job: Job, **more: Any) -> str:
    """Open a chargeback at the provider and learn of it; return its id."""
    made = world.sandbox.control("POST", "disputes", {"charge": job.charge_id, **more})
    learn(world, made["id"])
    return str(made["id"])


def close(world: World, dispute_id: str, outcome: str) -> None:
    world.sandbox.control("POST", f"disputes/{dispute_id}", {"outcome": outcome})
    learn(world, dispute_id)


def learn(world: World, dispute_id: str) -> None:
    chargebacks.confirm("stripe", world.provider.read_dispute(dispute_id), world.now)


def test_a_contested_card_freezes_the_escrow_at_once(world: World) -> None:
    job = world.funded(card=CONTESTED)
    world.sandbox.advance(0, wait=False)
    assert "charge.dispute.created" in world.hear()
    assert job.escrow.frozen_at == world.now
    chargeback = Chargeback.objects.get()
    assert (chargeback.escrow_id, chargeback.amount_minor, chargeback.reason) == (job.escrow.pk, 10_000, "fraudulent")
    assert job.history()[-3:] == ["chargeback_opened", "chargeback_withdrawn", "frozen"]


def test_nothing_moves_while_it_is_undecided(world: World) -> None:
    job = world.completed()
    contest(world, job)
    with pytest.raises(EscrowFrozen):
        world.release(job)
    with pytest.raises(EscrowFrozen):
        world.release(job, world.staff())
    for actor in (job.client, job.freelancer, world.staff()):
        with pytest.raises(EscrowFrozen):
            world.refund(job, actor)
    world.wait(days=30)
    assert auto_release.due(now=world.now) == []
    assert not auto_release.release(escrow_id=job.escrow.pk, now=world.now)
    assert held(f"escrow:{job.escrow.pk}") == 10_000


def test_silence_answers_no_request_while_it_is_undecided(world: World) -> None:
    job = world.started()
    world.refund(job)
    contest(world, job)
    world.wait(days=30)
    assert refunds.unanswered(now=world.now) == []


def test_money_of_other_work_can_be_withdrawn_while_it_is_undecided(world: World) -> None:
    job = world.settled()
    contest(world, world.funded(freelancer=job.freelancer))
    assert world.withdraw(job.freelancer, dollars("85.00")).state == "pending"


def test_a_released_share_does_not_settle_while_it_is_undecided(world: World) -> None:
    job = world.released()
    dispute = contest(world, job)
    world.wait(SETTLING)
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    close(world, dispute, "won")
    assert availability.make_available(escrow_id=job.escrow.pk, now=world.now)


def test_a_share_that_has_not_left_yet_stays_while_it_is_undecided(world: World) -> None:
    job = world.completed()
    world.release(job)
    dispute = contest(world, job)
    world.work()
    assert (job.transfer.state, job.transfer.hold) == ("pending", "awaits_chargeback")
    assert world.made("transfer", job.transfer.reference) == []
    close(world, dispute, "won")
    world.work()
    assert job.transfer.state == "succeeded"


def test_neither_the_account_nor_the_bank_alone_lets_a_share_go(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    job = world.released(freelancer=freelancer)
    dispute = contest(world, job)
    world.onboard(freelancer)
    world.work()
    assert (job.transfer.state, job.transfer.hold) == ("pending", "awaits_chargeback")
    close(world, dispute, "won")
    world.work()
    assert job.transfer.state == "succeeded"


def test_a_chargeback_that_is_won_thaws_the_escrow(world: World) -> None:
    job = world.completed()
    close(world, contest(world, job), "won")
    assert job.escrow.frozen_at is None
    chargeback = Chargeback.objects.get()
    assert (chargeback.status, chargeback.closed_at) == ("won", world.now)
    assert job.history()[-6:] == WON
    assert world.release(job).state == "released"


def test_a_chargeback_that_is_lost_keeps_it_frozen(world: World) -> None:
    job = world.completed()
    close(world, contest(world, job), "lost")
    assert job.escrow.frozen_at is not None
    assert job.history()[-1] == "chargeback_lost"
    with pytest.raises(EscrowFrozen):
        world.release(job)


def test_an_inquiry_freezes_until_it_is_closed(world: World) -> None:
    job = world.completed()
    dispute = contest(world, job, inquiry=True)
    assert Chargeback.objects.get().status == "warning_needs_response"
    assert job.escrow.frozen_at is not None
    close(world, dispute, "won")
    assert Chargeback.objects.get().status == "warning_closed"
    assert job.escrow.frozen_at is None


def test_an_inquiry_that_becomes_a_chargeback_stays_frozen(world: World) -> None:
    job = world.completed()
    dispute = contest(world, job, inquiry=True)
    close(world, dispute, "escalated")
    assert Chargeback.objects.get().status == "needs_response"
    assert job.escrow.frozen_at is not None
    assert job.history().count("frozen") == 1


def test_the_same_news_again_changes_nothing(world: World) -> None:
    job = world.completed()
    dispute = contest(world, job)
    learn(world, dispute)
    close(world, dispute, "won")
    learn(world, dispute)
    assert Chargeback.objects.count() == 1
    assert job.history()[-6:] == WON


def test_old_news_does_not_reopen_what_is_closed(world: World) -> None:
    job = world.completed()
    made = world.sandbox.control("POST", "disputes", {"charge": job.charge_id})
    opened = world.provider.read_dispute(made["id"])
    close(world, made["id"], "won")
    chargebacks.confirm("stripe", opened, world.now)
    assert (Chargeback.objects.get().status, job.escrow.frozen_at) == ("won", None)


def test_two_chargebacks_have_to_be_won_both(world: World) -> None:
    job = world.completed()
    first = contest(world, job, amount=4_000)
    close(world, first, "won")
    second = contest(world, job, amount=6_000)
    assert job.escrow.frozen_at is not None
    learn(world, first)
    assert job.escrow.frozen_at is not None
    close(world, second, "won")
    assert job.escrow.frozen_at is None


def test_a_chargeback_is_found_by_its_charge_alone(world: World) -> None:
    job = world.completed()
    state = ChargebackState(
        id="du_x", status=ChargebackStatus.NEEDS_RESPONSE, reason="general", amount=dollars("100"), payment_id="",
        collection_id=job.charge_id,
    )  # fmt: skip
    chargebacks.confirm("stripe", state, world.now)
    assert job.escrow.frozen_at == world.now


@pytest.mark.parametrize("charge", ["", "ch_of_somebody_else"])
def test_a_chargeback_of_a_payment_that_is_not_ours_is_unknown(world: World, charge: str) -> None:
    world.ask_to_pay(world.hired())
    state = ChargebackState(
        id="du_x",
        status=ChargebackStatus.NEEDS_RESPONSE,
        reason="general",
        amount=dollars("1"),
        payment_id="pi_x",
        collection_id=charge,
    )
    with pytest.raises(UnknownObject):
        chargebacks.confirm("stripe", state, world.now)
    assert not Chargeback.objects.exists()


def test_the_two_sides_open_a_dispute_of_their_own_when_the_bank_has_decided(world: World) -> None:
    job = world.completed()
    chargeback = contest(world, job)
    with pytest.raises(EscrowFrozen):
        disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Empty", now=world.now)
    close(world, chargeback, "won")
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Empty", now=world.now)
    with pytest.raises(DisputeOpen):
        world.release(job)
