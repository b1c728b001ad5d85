"""A payout of which the provider reports another amount than was asked for: it never counts, and finance decides."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from multitask.payments.escrow import refund_payouts
from multitask.payments.models import Disbursement, Operation
from multitask.payments.operations.attempt import Undecided
from multitask.payments.operations.engine import OUTCOME_UNKNOWN
from multitask.payments.payouts import disbursements, undecided_payouts
from multitask.payments.provider import PayoutStatus
from tests.egypt_world import BUDGET, COOL_DOWN, PENDS, EgyptWorld, pounds
from tests.payments_world import held, user_id


def reported_with_another_amount(world: EgyptWorld) -> Disbursement:
    """Report the only payout as paid with another amount; return it."""
    payout = Disbursement.objects.get()
    state = world.paymob_provider.read_disbursement(str(payout.provider_payout_id))
    with capture_logs() as logged:
        refund_payouts.confirm("paymob", replace(state, status=PayoutStatus.PAID, amount=pounds("8.50")), world.now)
    (entry,) = [line for line in logged if line["event"] == "payout_amount_differs"]
    assert (entry["log_level"], entry["reported"]) == ("critical", str(pounds("8.50")))
    payout.refresh_from_db()
    assert payout.ended_at is None
    return payout


def test_a_withdrawal_waits_for_finance_with_its_money(world: EgyptWorld) -> None:
    payee = world.payee(PENDS, issuer="orange")
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))

    payout = reported_with_another_amount(world)

    withdrawal.refresh_from_db()
    assert (withdrawal.state, held(f"user:{user_id(payee)}:withdrawing", "EGP")) == ("processing", 85_000)
    assert Operation.objects.get(kind="disburse").hold == OUTCOME_UNKNOWN
    assert list(undecided_payouts.found()) == [payout]
    undecided_payouts.was_paid(
        actor=world.staff("finance"),
        disbursement_id=payout.pk,
        provider_payout_id=str(payout.provider_payout_id),
        note="Paymob corrected it.",
        now=world.now,
    )
    withdrawal.refresh_from_db()
    payout.refresh_from_db()
    cost = (payout.fee_minor or 0) + (payout.tax_minor or 0)
    assert (withdrawal.state, held(BUDGET, "EGP")) == ("completed", -(200_000 - 85_000 - cost))


def test_a_refund_waits_for_finance_with_its_money(world: EgyptWorld) -> None:
    client = world.client()
    job = world.hired(pounds("1000.00"), client=client)
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    world.fill_budget(pounds("2000.00"))
    world.refund(job)
    world.add_account(client, PENDS)
    world.allot()
    world.wait(COOL_DOWN)
    world.allot()

    payout = reported_with_another_amount(world)

    assert (job.refund.state, job.escrow.state) == ("pending", "funded")
    assert list(undecided_payouts.found()) == [payout]
    undecided_payouts.was_not_made(
        actor=world.staff("finance"), disbursement_id=payout.pk, note="Asked Paymob.", now=world.now
    )
    assert job.refund.state == "failed"


def test_an_answer_with_another_amount_is_refused(world: EgyptWorld) -> None:
    payee = world.payee()
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    world.withdrawn(payee, pounds("850.00"))
    payout = Disbursement.objects.get()
    state = world.paymob_provider.read_disbursement(str(payout.provider_payout_id))
    disbursements.require_amount(payout, state)
    with pytest.raises(Undecided):
        disbursements.require_amount(payout, replace(state, amount=pounds("850.01")))
