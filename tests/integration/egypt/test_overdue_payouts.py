"""Payouts that the provider accepted and whose end it does not report: the staff decides about them after a week."""

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from multitask.payments.models import Disbursement, Operation, Withdrawal
from multitask.payments.operations import engine, sweeper
from multitask.payments.operations.engine import OUTCOME_UNKNOWN
from multitask.payments.payouts import destinations, overdue_payouts, undecided_payouts
from multitask.payments.staff_commands import retry_operation
from multitask.web.backoffice import work_items
from multitask.webhooks import polling
from tests.egypt_world import COOL_DOWN, STAYS_PENDING, EgyptWorld, disbursement_of, pounds
from tests.payments_world import held


def accepted(world: EgyptWorld, issuer: str = "orange") -> tuple[Withdrawal, Disbursement]:
    """A withdrawal that the provider accepted and keeps pending."""
    payee = world.payee(STAYS_PENDING, issuer=issuer)
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    assert withdrawal.state == "processing"
    return withdrawal, disbursement_of(withdrawal)


def pass_days(world: EgyptWorld, days: int) -> None:
    """Do once a day what workers do."""
    for _ in range(days):
        world.wait(days=1)
        polling.refresh_open(now=world.now)
        sweeper.sweep(now=world.now)
        world.allot()


def decide_there(world: EgyptWorld, payout: Disbursement, outcome: str) -> None:
    world.paymob.control("POST", f"payouts/{payout.provider_payout_id}", {"outcome": outcome})


def reserved(withdrawal: Withdrawal) -> int:
    return held(f"user:{withdrawal.user_id}:withdrawing", "EGP")


@pytest.mark.parametrize("outcome", ["", "unknown"])
@pytest.mark.parametrize("issuer", ["orange", "instapay"])
def test_after_a_week_finance_decides(world: EgyptWorld, issuer: str, outcome: str) -> None:
    withdrawal, payout = accepted(world, issuer)
    if outcome:
        decide_there(world, payout, outcome)
    pass_days(world, 6)
    assert not undecided_payouts.found().exists()

    # Reading it again, which shows nothing new, does not take it from the queue.
    for _ in range(3):
        pass_days(world, 1)
        assert list(undecided_payouts.found()) == [payout]
        assert work_items.counts(world.now)["undecided_payouts"] == 1
        assert reserved(withdrawal) == 85_000

    undecided_payouts.was_not_made(
        actor=world.staff("finance"), disbursement_id=payout.pk, note="Asked Paymob.", now=world.now
    )
    withdrawal.refresh_from_db()
    assert (withdrawal.state, reserved(withdrawal)) == ("failed", 0)
    assert held(f"user:{withdrawal.user_id}:available", "EGP") == 85_000
    assert len(world.payouts_there()) == 1


def test_finance_decides_that_it_was_paid(world: EgyptWorld) -> None:
    withdrawal, payout = accepted(world)
    pass_days(world, 8)
    undecided_payouts.was_paid(
        actor=world.staff("finance"),
        disbursement_id=payout.pk,
        provider_payout_id=str(payout.provider_payout_id),
        note="Seen in the dashboard.",
        now=world.now,
    )
    withdrawal.refresh_from_db()
    assert (withdrawal.state, reserved(withdrawal)) == ("completed", 0)
    assert Operation.objects.get(kind="disburse").state == "succeeded"


@pytest.mark.parametrize(("outcome", "state"), [("succeed", "completed"), ("fail", "failed")])
def test_an_end_that_is_reported_after_months_counts(world: EgyptWorld, outcome: str, state: str) -> None:
    withdrawal, payout = accepted(world)
    decide_there(world, payout, "unknown")
    pass_days(world, 45)
    assert list(undecided_payouts.found()) == [payout]

    decide_there(world, payout, outcome)
    pass_days(world, 1)

    withdrawal.refresh_from_db()
    assert (withdrawal.state, reserved(withdrawal)) == (state, 0)
    assert not undecided_payouts.found().exists()
    assert Operation.objects.get(kind="disburse").state == "succeeded"


@pytest.mark.parametrize("outcome", ["", "unknown"])
def test_a_look_that_shows_no_end_leaves_it_in_the_queue(world: EgyptWorld, outcome: str) -> None:
    _, payout = accepted(world)
    if outcome:
        decide_there(world, payout, outcome)
    pass_days(world, 8)
    call = Operation.objects.get(kind="disburse")

    retry_operation(actor=world.staff("finance"), operation_id=call.pk, note="Once more.", now=world.now)
    world.work()

    call.refresh_from_db()
    assert (call.state, call.hold) == ("unknown", OUTCOME_UNKNOWN)
    assert len(world.payouts_there()) == 1


def test_the_week_begins_when_the_provider_accepts(world: EgyptWorld, settings: Settings) -> None:
    payee = world.payee(STAYS_PENDING, issuer="orange")
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    keys = settings.DESTINATION_KEYS
    settings.DESTINATION_KEYS = [Fernet.generate_key().decode()]
    payout = disbursement_of(world.withdrawn(payee, pounds("850.00")))
    world.wait(overdue_payouts.OVERDUE_AFTER)
    settings.DESTINATION_KEYS = keys
    engine.perform(Operation.objects.get(kind="disburse").pk, now=world.now)
    assert len(world.payouts_there()) == 1

    # The money may be on its way: to call it not made would be to pay it twice.
    pass_days(world, 6)
    assert not undecided_payouts.found().exists()

    for _ in range(2):
        pass_days(world, 1)
        assert list(undecided_payouts.found()) == [payout]


def test_one_whose_answer_was_lost_is_accepted_when_it_is_found(world: EgyptWorld) -> None:
    payee = world.payee(STAYS_PENDING, issuer="orange")
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    world.paymob.add_fault("drop_response", method="POST", path="*/disburse/", count=1)
    payout = disbursement_of(world.withdrawn(payee, pounds("850.00")))
    world.wait(overdue_payouts.OVERDUE_AFTER)
    engine.perform(Operation.objects.get(kind="disburse").pk, now=world.now)
    assert Operation.objects.get(kind="disburse").state == "succeeded"

    pass_days(world, 6)
    assert not undecided_payouts.found().exists()
    pass_days(world, 1)
    assert list(undecided_payouts.found()) == [payout]


def test_holding_twice_changes_nothing(world: EgyptWorld) -> None:
    _, payout = accepted(world)
    world.wait(overdue_payouts.OVERDUE_AFTER)
    assert overdue_payouts.due(now=world.now) == [payout.pk]
    for _ in range(2):
        overdue_payouts.hold(disbursement_id=payout.pk, now=world.now)
        assert overdue_payouts.due(now=world.now) == []
    call = Operation.objects.get(kind="disburse")
    assert (call.hold, call.last_error_code) == (OUTCOME_UNKNOWN, "payout_overdue")


def test_a_payout_that_has_ended_is_not_held(world: EgyptWorld) -> None:
    withdrawal, payout = accepted(world)
    world.wait(overdue_payouts.OVERDUE_AFTER)
    decide_there(world, payout, "succeed")
    world.learn_of_disbursement(payout)

    overdue_payouts.hold(disbursement_id=payout.pk, now=world.now)

    assert not undecided_payouts.found().exists()
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"


def test_a_refund_that_is_paid_out_reaches_finance_too(world: EgyptWorld) -> None:
    job = world.hired(pounds("1000.00"))
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    world.fill_budget(pounds("2000.00"))
    given = {"issuer": "orange", "msisdn": STAYS_PENDING, "full_name": "Mona Ali Hassan"}
    destinations.add(actor=job.client, currency="EGP", kind="wallet", given=given, proof=world.proof(), now=world.now)
    world.wait(COOL_DOWN)
    world.refund(job, amount=pounds("500.00"))
    world.allot()
    payout = Disbursement.objects.get(refund=job.refund)
    assert payout.provider_payout_id

    pass_days(world, 8)
    assert list(undecided_payouts.found()) == [payout]
    undecided_payouts.was_not_made(
        actor=world.staff("finance"), disbursement_id=payout.pk, note="Asked Paymob.", now=world.now
    )
    assert (job.refund.state, job.escrow.remaining) == ("failed", pounds("1000.00"))
