"""Payouts of which nobody can tell whether the provider made them, and what finance decides about them."""

import pytest
from pytest_django import Settings

from multitask.payments.authorization import approvals
from multitask.payments.errors import Forbidden, ReferenceUsed, WrongState
from multitask.payments.models import Approval, AuditEvent, Disbursement, Operation, Withdrawal
from multitask.payments.operations import attempt
from multitask.payments.operations.engine import OUTCOME_UNKNOWN
from multitask.payments.payouts import undecided_payouts
from multitask.payments.payouts.undecided_payouts import Costs
from multitask.providers.models import CallSlot
from multitask.users.actor import Actor
from tests.egypt_world import BUDGET, UNKNOWN, EgyptWorld, disbursement_of, pounds
from tests.payments_world import held


def undecided(world: EgyptWorld, payee: Actor | None = None, amount: str = "100.00") -> tuple[Withdrawal, Disbursement]:
    """A withdrawal of which the provider's answer was lost, and which no search finds."""
    payee = payee or world.payee()
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    world.paymob.add_fault("drop_request", path="/api/secure/disburse/", method="POST", count=1)
    withdrawal = world.withdraw(payee, pounds(amount))
    for _ in range(40):
        CallSlot.objects.all().delete()
        world.work()
        world.wait(hours=6)
        if Operation.objects.filter(hold=OUTCOME_UNKNOWN).exists():
            break
    assert Operation.objects.get(kind="disburse").hold == OUTCOME_UNKNOWN
    return withdrawal, disbursement_of(withdrawal)


def decided(payout: Disbursement) -> tuple[str, str]:
    """The states of the withdrawal and of the call."""
    withdrawal = Withdrawal.objects.get(disbursement=payout)
    return withdrawal.state, Operation.objects.get(kind="disburse").state


def test_a_payout_whose_state_nobody_knows_the_word_of_reaches_the_staff(world: EgyptWorld) -> None:
    payee = world.payee(UNKNOWN)
    world.earned(payee)
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    for _ in range(attempt.MOST_SEARCHES + 2):
        world.wait(minutes=20)
        world.work()

    operation = Operation.objects.get(kind="disburse")
    assert (operation.state, operation.hold) == ("unknown", OUTCOME_UNKNOWN)
    assert operation.last_error_code.startswith("unexpected_")
    assert list(undecided_payouts.found()) == [disbursement_of(withdrawal)]
    assert len(world.payouts_there()) == 1, "it is never sent again"


def test_a_payout_that_was_not_made_is_available_again(world: EgyptWorld) -> None:
    withdrawal, payout = undecided(world)
    finance = world.staff("finance")
    assert list(undecided_payouts.found()) == [payout]

    undecided_payouts.was_not_made(actor=finance, disbursement_id=payout.pk, note="Asked Paymob.", now=world.now)

    assert decided(payout) == ("failed", "failed")
    owner = Withdrawal.objects.get(pk=withdrawal.pk).user_id
    assert held(f"user:{owner}:available", "EGP") == 85_000
    assert not undecided_payouts.found().exists()
    payout.refresh_from_db()
    assert payout.ended_at == world.now
    event = AuditEvent.objects.get(event="payout_found_not_made")
    assert (event.actor_id, event.note, event.withdrawal_id) == (finance.user_id, "Asked Paymob.", withdrawal.pk)


def test_a_payout_that_was_paid_is_paid_with_its_costs(world: EgyptWorld) -> None:
    withdrawal, payout = undecided(world)
    undecided_payouts.was_paid(
        actor=world.staff("finance"),
        disbursement_id=payout.pk,
        provider_payout_id=" 77001 ",
        costs=Costs(fee=pounds("3.00"), tax=pounds("0.42")),
        note="Seen in the dashboard.",
        now=world.now,
    )
    assert decided(payout) == ("completed", "succeeded")
    payout.refresh_from_db()
    assert (payout.provider_payout_id, payout.fee_minor, payout.tax_minor) == ("77001", 300, 42)
    assert held(BUDGET, "EGP") == -(200_000 - 10_000 - 342)
    assert held(f"user:{withdrawal.user_id}:available", "EGP") == 75_000


def test_above_the_limit_a_second_person_approves(world: EgyptWorld, settings: Settings) -> None:
    settings.SECOND_PERSON_ABOVE_MINOR = 9_999
    _, payout = undecided(world)
    first, second = world.staff("finance"), world.staff("finance")
    asked = undecided_payouts.was_not_made(
        actor=first, disbursement_id=payout.pk, note="Asked.", now=world.now, request_key="once"
    )
    assert isinstance(asked, Approval)
    again = undecided_payouts.was_not_made(
        actor=first, disbursement_id=payout.pk, note="Asked.", now=world.now, request_key="once"
    )
    assert again == asked
    assert decided(payout) == ("pending", "unknown")
    with pytest.raises(WrongState):
        undecided_payouts.was_paid(
            actor=second, disbursement_id=payout.pk, provider_payout_id="1", note="No.", now=world.now
        )

    approvals.decide(actor=second, approval_id=asked.pk, approve=True, now=world.now)
    assert decided(payout) == ("failed", "failed")


def test_what_cannot_be_decided_moves_nothing(world: EgyptWorld) -> None:
    withdrawal, payout = undecided(world)
    finance = world.staff("finance")
    owner = Actor.of(withdrawal.user.__class__.objects.get(pk=withdrawal.user_id), assurance=finance.assurance)
    with pytest.raises(Forbidden):
        undecided_payouts.was_not_made(
            actor=world.staff("support"), disbursement_id=payout.pk, note="No.", now=world.now
        )
    with pytest.raises(Forbidden):
        undecided_payouts.was_not_made(actor=owner, disbursement_id=payout.pk, note="No.", now=world.now)
    with pytest.raises(WrongState):
        undecided_payouts.was_not_made(actor=finance, disbursement_id=payout.pk, note=" ", now=world.now)
    with pytest.raises(WrongState):
        undecided_payouts.was_paid(
            actor=finance, disbursement_id=payout.pk, provider_payout_id=" ", note="Seen.", now=world.now
        )
    assert decided(payout) == ("pending", "unknown")

    undecided_payouts.was_not_made(actor=finance, disbursement_id=payout.pk, note="Asked.", now=world.now)
    with pytest.raises(WrongState):
        undecided_payouts.was_paid(
            actor=finance, disbursement_id=payout.pk, provider_payout_id="5", note="Seen.", now=world.now
        )
    assert decided(payout) == ("failed", "failed")


def test_the_id_of_another_payout_is_refused(world: EgyptWorld) -> None:
    payee = world.payee()
    world.earned(payee)
    world.fill_budget(pounds("500.00"))
    paid = disbursement_of(world.withdrawn(payee, pounds("50.00")))
    _, payout = undecided_after(world, payee)
    with pytest.raises(ReferenceUsed):
        undecided_payouts.was_paid(
            actor=world.staff("finance"),
            disbursement_id=payout.pk,
            provider_payout_id=str(paid.provider_payout_id),
            note="Seen.",
            now=world.now,
        )


def undecided_after(world: EgyptWorld, payee: Actor) -> tuple[Withdrawal, Disbursement]:
    """Another withdrawal of the same payee, whose outcome nobody can tell."""
    world.paymob.add_fault("drop_request", path="/api/secure/disburse/", method="POST", count=1)
    withdrawal = world.withdraw(payee, pounds("60.00"))
    payout = disbursement_of(withdrawal)
    for _ in range(40):
        CallSlot.objects.all().delete()
        world.work()
        world.wait(hours=6)
        if undecided_payouts.call_of(payout) is not None:
            return withdrawal, payout
    raise AssertionError("the outcome became known")
