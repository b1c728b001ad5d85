"""Refunds of kiosk payments below the least that any payout destination takes."""

import pytest
from django.test import Client

from multitask.payments.authorization import approvals
from multitask.payments.errors import RefundTooSmall, WrongState
from multitask.payments.escrow import disputes, refund_payouts, refunds_by_bank
from multitask.payments.losses import late_refunds
from multitask.payments.models import Approval, AuditEvent, Disbursement, Refund
from multitask.payments.reads import where
from tests.egypt_world import SUCCEEDS, EgyptWorld, pounds
from tests.integration.backoffice.addresses import action
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, held

SMALL = "0.50"


def paid(world: EgyptWorld, *, kiosk: bool = True) -> Job:
    job = world.hired(pounds("1000.00"), client=world.client(), freelancer=world.payee())
    world.ask_to_pay(job)
    world.pay_there(job, **({"method": "kiosk", "passed": True} if kiosk else {}))
    world.learn_of_payment(job)
    return job


def test_a_refund_that_no_destination_takes_is_refused(world: EgyptWorld) -> None:
    job = paid(world)
    with pytest.raises(RefundTooSmall) as refused:
        world.refund(job, amount=pounds(SMALL))
    assert "1.00" in str(refused.value.fields)
    assert not Refund.objects.exists()
    world.refund(job, amount=pounds("1.00"))
    assert job.refund.state == "pending"


def test_a_card_takes_any_amount(world: EgyptWorld) -> None:
    job = paid(world, kiosk=False)
    world.refund(job, amount=pounds(SMALL))
    world.work()
    assert job.refund.state == "succeeded"


def test_a_settlement_with_such_a_share_is_refused(world: EgyptWorld) -> None:
    job = paid(world)
    dispute = disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)

    def settle(to_client: str, to_freelancer: str) -> None:
        disputes.settle(
            actor=world.staff("finance"),
            dispute_id=dispute.pk,
            client_amount=pounds(to_client),
            freelancer_amount=pounds(to_freelancer),
            now=world.now,
        )

    with pytest.raises(RefundTooSmall):
        settle(SMALL, "999.50")
    settle("0.00", "1000.00")
    assert job.escrow.state == "released"


def test_so_is_a_refund_of_what_was_released(world: EgyptWorld) -> None:
    job = paid(world)
    world.release(job, world.staff("finance"))
    world.work()
    with pytest.raises(RefundTooSmall):
        late_refunds.refund(
            actor=job.freelancer, escrow_id=job.escrow.pk, amount=pounds(SMALL), reason="Late", now=world.now
        )


def by_bank(world: EgyptWorld, job: Job) -> Approval:
    return refunds_by_bank.record(
        actor=world.staff("finance"), refund_id=job.refund.pk, note="Bank transfer 77", now=world.now
    )


@pytest.mark.parametrize("amount", ["2.00", "1000.00"])
def test_finance_pays_a_refund_that_waits_by_bank(world: EgyptWorld, office: Client, amount: str) -> None:
    job = paid(world)
    world.refund(job, amount=pounds(amount))
    assert "bank transfer" in text_of(office.get(action("refund-by-bank", job.refund.pk)))
    asked = by_bank(world, job)

    # The transfer is made: no payout may begin meanwhile.
    world.add_wallet(job.client, SUCCEEDS)
    world.wait(days=4)
    world.allot()
    assert not Disbursement.objects.exists()
    approvals.decide(actor=world.staff("finance"), approval_id=asked.pk, approve=True, now=world.now)

    assert (job.refund.state, job.refund.is_by_bank) == ("succeeded", True)
    left = pounds("1000.00") - pounds(amount)
    assert (job.escrow.remaining, job.escrow.state) == (left, "funded" if left.amount_minor else "refunded")
    assert held(f"refund:{job.refund.pk}", "EGP") == 0
    assert AuditEvent.objects.filter(event="refund_paid_by_bank").count() == 1
    world.allot()
    assert not Disbursement.objects.exists()
    if left.amount_minor:
        world.release(job, world.staff("finance"))
        assert job.escrow.state == "released"


def test_one_whose_payout_has_begun_is_not_paid_by_bank(world: EgyptWorld) -> None:
    job = paid(world)
    world.refund(job, amount=pounds("200.00"))
    asked = by_bank(world, job)
    approvals.decide(actor=world.staff("finance"), approval_id=asked.pk, approve=False, now=world.now)
    world.add_wallet(job.client, SUCCEEDS)
    world.wait(days=4)
    world.allot()
    assert Disbursement.objects.get().refund == job.refund
    with pytest.raises(WrongState):
        by_bank(world, job)


@pytest.mark.breaks_the_books  # The amount is changed without postings.
def test_a_client_is_not_asked_for_a_destination_that_cannot_help(world: EgyptWorld) -> None:
    job = paid(world)
    world.refund(job, amount=pounds("2.00"))
    world.add_wallet(job.client, SUCCEEDS)
    Refund.objects.update(amount_minor=50)
    world.wait(days=4)
    world.allot()

    assert not refund_payouts.without_destination(now=world.now)
    assert not refund_payouts.needs_other_destination(job.escrow.client_id, world.now)
    reasons = [row.reason.value for row in where.of_escrow(job.client, job.escrow, world.now)]
    assert "refund_under_way" in reasons
    assert not AuditEvent.objects.filter(event="refund_needs_other_destination").exists()
