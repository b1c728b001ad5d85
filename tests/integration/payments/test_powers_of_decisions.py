"""Deciding as the second person takes the same power as asking, and giving up a large refund takes two."""

import pytest
from pytest_django import Settings

from multitask.payments import operation_handlers
from multitask.payments.authorization import approvals
from multitask.payments.errors import Forbidden, FourEyes, WrongState
from multitask.payments.losses import adjustments, late_refunds
from multitask.payments.models import Adjustment, Approval, Refund
from multitask.users.actor import POWERS, Power, Role
from tests.payments_world import Job, World, dollars, user_id


def test_every_kind_of_decision_has_the_power_that_decides_about_it() -> None:
    kinds = {*operation_handlers.EXECUTORS, *operation_handlers.SUBJECT_EXECUTORS}
    assert {kind: approvals.power_of(kind) for kind in kinds}.keys() == kinds
    assert approvals.power_of(approvals.ADJUST) is approvals.power_of(approvals.WRITE_OFF) is Power.ADJUST
    assert approvals.power_of(approvals.EXPLAIN_LINE) is Power.ADJUST
    assert approvals.power_of(approvals.SETTLE) is Power.SETTLE_DISPUTE
    assert approvals.power_of(approvals.RELEASE) is Power.RELEASE


def test_who_may_refund_only_decides_about_no_adjustment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world.settled()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("-5.00"), note="Paid twice", now=world.now
    )
    # No role of today has one of both powers alone; this is what a role would be that does.
    monkeypatch.setitem(POWERS, Role.SUPPORT, frozenset({Power.READ_ANY, Power.REFUND}))
    with pytest.raises(Forbidden):
        approvals.decide(actor=world.staff("support"), approval_id=asked.pk, approve=True, now=world.now)
    assert not Adjustment.objects.exists()
    monkeypatch.setitem(POWERS, Role.SUPPORT, frozenset({Power.READ_ANY, Power.ADJUST}))
    approvals.decide(actor=world.staff("support"), approval_id=asked.pk, approve=True, now=world.now)
    assert Adjustment.objects.get().amount == dollars("-5.00")


@pytest.fixture
def failed(world: World) -> Job:
    """The payee returned the whole share, and the card's bank did not take the refund."""
    job = world.settled()
    made = late_refunds.refund(
        actor=job.freelancer, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now
    )
    assert isinstance(made, Refund)
    world.work()
    world.learn_of_refund(made)
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail")
    world.learn_of_refund(job.refund)
    return job


def test_giving_up_a_large_refund_waits_for_a_second_person(world: World, failed: Job, settings: Settings) -> None:
    settings.SECOND_PERSON_ABOVE_MINOR = 9_999
    first, refund = world.staff(), failed.refund
    asked = late_refunds.give_up(
        actor=first, refund_id=refund.pk, now=world.now, note="The card is gone", request_key="one"
    )
    assert isinstance(asked, Approval)
    assert (asked.kind, failed.refund.holds_money) == ("give_up_refund", True)
    again = late_refunds.give_up(actor=first, refund_id=refund.pk, now=world.now, request_key="one")
    assert again.pk == asked.pk
    with pytest.raises(FourEyes):
        approvals.decide(actor=first, approval_id=asked.pk, approve=True, now=world.now)
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    assert (failed.refund.holds_money, world.wallet(failed.freelancer).available) == (False, dollars("85.00"))
    with pytest.raises(WrongState):
        late_refunds.give_up(actor=first, refund_id=refund.pk, now=world.now)


def test_what_was_retried_meanwhile_is_not_given_up(world: World, failed: Job, settings: Settings) -> None:
    settings.SECOND_PERSON_ABOVE_MINOR = 9_999
    refund = failed.refund
    asked = late_refunds.give_up(actor=world.staff(), refund_id=refund.pk, now=world.now)
    assert isinstance(asked, Approval)
    Refund.objects.filter(pk=refund.pk).update(state="succeeded")
    with pytest.raises(WrongState):
        approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    Refund.objects.filter(pk=refund.pk).update(state="failed")
    assert (failed.refund.holds_money, Approval.objects.get().decided_at) == (True, None)


def test_up_to_the_limit_one_person_gives_up(world: World, failed: Job, settings: Settings) -> None:
    settings.SECOND_PERSON_ABOVE_MINOR = 10_000
    given_up = late_refunds.give_up(actor=world.staff(), refund_id=failed.refund.pk, now=world.now)
    assert isinstance(given_up, Refund)
    assert not given_up.holds_money
