"""Payouts whose answer was lost, that finance takes for not made, and that Paymob has made all the same."""

import pytest

from multitask.payments.errors import PayoutUnexplained, WrongState
from multitask.payments.models import AuditEvent, Disbursement, Operation, Withdrawal
from multitask.payments.operations.engine import OUTCOME_UNKNOWN
from multitask.payments.payouts import undecided_payouts
from multitask.providers.models import CallSlot
from multitask.users.actor import Actor
from multitask.webhooks import poll_groups, polling
from tests.egypt_world import SUCCEEDS, EgyptWorld, disbursement_of, pounds
from tests.payments_world import held, user_id

INQUIRY = "/api/secure/transaction/inquire/"


def lost(world: EgyptWorld, payee: Actor, amount: str = "100.00") -> Disbursement:
    """A payout that Paymob made, whose answer was lost, and that no inquiry found while Paymob answered none."""
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    world.paymob.add_fault("drop_response", path="/api/secure/disburse/", method="POST", count=1)
    world.paymob.add_fault("drop_request", path=INQUIRY, method="POST", count=1000)
    payout = disbursement_of(world.withdraw(payee, pounds(amount)))
    for _ in range(60):
        CallSlot.objects.all().delete()
        world.paymob_provider.guard.breaker.reset()
        world.work()
        world.wait(hours=6)
        if Operation.objects.filter(hold=OUTCOME_UNKNOWN).exists():
            break
    world.paymob_provider.guard.breaker.reset()
    payout.refresh_from_db()
    assert (payout.provider_payout_id, undecided_payouts.found().get()) == (None, payout)
    assert len(world.payouts_there()) == 1
    return payout


def decide_not_made(world: EgyptWorld, payout: Disbursement) -> object:
    return undecided_payouts.was_not_made(
        actor=world.staff("finance"), disbursement_id=payout.pk, note="Asked Paymob.", now=world.now
    )


def test_the_decision_is_refused_where_paymob_lists_the_payout(world: EgyptWorld) -> None:
    payout = lost(world, world.payee(SUCCEEDS))
    world.paymob.clear_faults()

    with pytest.raises(WrongState, match="lists this payout"):
        decide_not_made(world, payout)

    payout.refresh_from_db()
    assert payout.ended_at is None


@pytest.mark.parametrize("hours", [1, 24 * 5])
def test_a_payout_taken_for_not_made_is_found_by_its_reference(world: EgyptWorld, hours: int) -> None:
    payee = world.payee(SUCCEEDS)
    payout = lost(world, payee)
    decide_not_made(world, payout)
    payout.refresh_from_db()
    assert held(f"user:{user_id(payee)}:available", "EGP") == 85_000
    for _ in range(3):
        world.wait(hours=hours / 3)
        polling.refresh_open(now=world.now)
        world.paymob_provider.guard.breaker.reset()

    world.paymob.clear_faults()
    world.wait(days=1)
    polling.refresh_open(now=world.now)

    withdrawal = Withdrawal.objects.get()
    payout.refresh_from_db()
    assert payout.provider_payout_id == world.payouts_there()[0]["id"]
    assert (withdrawal.state, withdrawal.provider_status) == ("failed", "paid_after_return")
    assert AuditEvent.objects.filter(event="withdrawal_paid_after_return").count() == 1
    with pytest.raises(PayoutUnexplained):
        world.withdraw(payee, pounds("10.00"))


def test_what_ended_with_an_answer_is_not_looked_for(world: EgyptWorld) -> None:
    payee = world.payee(SUCCEEDS)
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    world.withdrawn(payee, pounds("850.00"))
    assert Disbursement.objects.get().ended_at is not None

    groups = poll_groups.groups(now=world.now)

    assert not any(group.rows.exists() for group in groups if group.by_reference)
