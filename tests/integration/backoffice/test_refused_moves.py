"""Refused reversals and refused transfers of adjustments are tried again from where the work queue leads."""

from typing import Any

import pytest
from django.test import Client

from multitask.payments.authorization import approvals
from multitask.payments.errors import Forbidden, WrongState
from multitask.payments.losses import adjustments, late_refunds
from multitask.payments.models import Adjustment, Operation, Reversal
from multitask.payments.payouts import reversals
from multitask.payments.provider import Rejected
from multitask.users.actor import Actor
from tests.integration.backoffice import addresses
from tests.integration.backoffice.test_access import Browser
from tests.integration.backoffice.test_actions import audited, do, told
from tests.payments_world import Job, World, dollars, held, user_id

REFUSED = "Transfers that were refused"


def refuse(self: Any, provider: Any, operation: Any) -> Any:
    """Stand for a provider that refuses the call for good, which the offline one has no cause to do."""
    raise Rejected("refused", "Refused")


@pytest.fixture
def refused_reversal(world: World, monkeypatch: pytest.MonkeyPatch) -> Reversal:
    """A share that could not be taken back when the staff refunded the client after the release."""
    job = world.settled()
    monkeypatch.setattr(reversals.CreateReversal, "call", refuse)
    late_refunds.refund(actor=world.staff(), escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now)
    world.work()
    monkeypatch.undo()
    return Reversal.objects.get()


@pytest.fixture
def refused_adjustment(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[Job, Adjustment]:
    """An adjustment in a freelancer's favour that the provider did not transfer."""
    job = world.settled()
    world.give_the_platform_money()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("50.00"), note="Our mistake", now=world.now
    )
    monkeypatch.setattr(adjustments.TransferAdjustment, "call", refuse)
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    monkeypatch.undo()
    return job, Adjustment.objects.get()


def newest(kind: str) -> Operation:
    return Operation.objects.filter(kind=kind).latest("sequence")


def test_a_refused_reversal_is_tried_again(
    world: World, refused_reversal: Reversal, finance: Actor, office: Client
) -> None:
    operation, button = newest("create_reversal"), addresses.action("retry-reversal", refused_reversal.pk)
    assert REFUSED in told(office, "/backoffice/")
    assert button in told(office, addresses.change(operation))
    assert button in told(office, addresses.change(refused_reversal.escrow))
    assert do(office, "retry-reversal", refused_reversal.pk).startswith(addresses.change(refused_reversal.escrow))
    world.work()
    audited("reversal_retried", finance)
    refused_reversal.refresh_from_db()
    assert (refused_reversal.state, newest("create_reversal").sequence) == ("succeeded", 2)
    assert held(f"provider:stripe:account:{refused_reversal.account_id}") == 0
    assert REFUSED not in told(office, "/backoffice/")
    for page in (operation, refused_reversal.escrow):
        assert button not in told(office, addresses.change(page))
    with pytest.raises(WrongState):
        reversals.retry(actor=finance, reversal_id=refused_reversal.pk, now=world.now)


def test_a_refused_reversal_is_given_up(
    world: World, refused_reversal: Reversal, finance: Actor, office: Client
) -> None:
    button = addresses.action("give-up-reversal", refused_reversal.pk)
    assert button in told(office, addresses.change(refused_reversal.escrow))
    assert "The platform bears it" in told(office, button)
    do(office, "give-up-reversal", refused_reversal.pk, bearer="payee")
    audited("reversal_given_up", finance)
    assert held(f"provider:stripe:account:{refused_reversal.account_id}") == 0
    assert REFUSED not in told(office, "/backoffice/")
    page = told(office, addresses.change(refused_reversal.escrow))
    assert button not in page
    assert "Given up" in page
    assert "Reversal that was given up" in told(office, addresses.change(refused_reversal.escrow.freelancer))


def test_a_refused_reversal_whose_loss_was_reversed_is_not_offered(
    world: World, refused_reversal: Reversal, office: Client
) -> None:
    refund = refused_reversal.escrow.refunds.get()
    world.learn_of_refund(refund)
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail")
    world.learn_of_refund(refund)
    do(office, "give-up-refund", refund.pk)
    button = addresses.action("retry-reversal", refused_reversal.pk)
    for page in (newest("create_reversal"), refused_reversal.escrow):
        assert button not in told(office, addresses.change(page))


def test_a_refused_transfer_of_an_adjustment_is_tried_again(
    world: World, refused_adjustment: tuple[Job, Adjustment], finance: Actor, office: Client
) -> None:
    job, adjustment = refused_adjustment
    refused, button = newest("transfer_adjustment"), addresses.action("retry-adjustment", adjustment.pk)
    assert (refused.state, world.wallet(job.freelancer).pending) == ("failed", dollars("50.00"))
    assert REFUSED in told(office, "/backoffice/")
    assert button in told(office, addresses.change(refused))
    do(office, "retry-adjustment", adjustment.pk)
    again = newest("transfer_adjustment")
    assert (again.sequence, again.arguments) == (2, refused.arguments)
    world.work()
    world.hear()
    audited("transfer_retried", finance)
    again.refresh_from_db()
    assert again.state == "succeeded"
    assert held(f"provider:stripe:account:{world.account(job.freelancer).pk}") == -13_500
    world.wait(adjustments.SETTLES_AFTER)
    Operation.objects.filter(pk=again.pk).update(finished_at=world.now - adjustments.SETTLES_AFTER)
    assert adjustments.due(now=world.now) == [adjustment.pk]
    assert REFUSED not in told(office, "/backoffice/")
    assert button not in told(office, addresses.change(refused))
    with pytest.raises(WrongState):
        adjustments.retry_transfer(actor=finance, adjustment_id=adjustment.pk, now=world.now)


def test_a_transfer_of_an_adjustment_whose_answer_was_lost_is_learned_from_its_webhook(
    world: World, refused_adjustment: tuple[Job, Adjustment]
) -> None:
    _job, adjustment = refused_adjustment
    adjustments.retry_transfer(actor=world.staff(), adjustment_id=adjustment.pk, now=world.now)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/transfers", count=1)
    world.work()
    again = newest("transfer_adjustment")
    assert again.state != "succeeded"
    world.hear()
    first = Operation.objects.get(kind="transfer_adjustment", sequence=1)
    again.refresh_from_db()
    assert (first.state, again.state) == ("failed", "succeeded")


def test_only_the_finance_staff_retries_and_nobody_their_own(
    world: World, refused_adjustment: tuple[Job, Adjustment], browser: Browser
) -> None:
    job, adjustment = refused_adjustment
    for actor in (job.freelancer, world.staff("support")):
        with pytest.raises(Forbidden):
            adjustments.retry_transfer(actor=actor, adjustment_id=adjustment.pk, now=world.now)
    page = told(browser(world.staff("support")), addresses.change(newest("transfer_adjustment")))
    assert "/backoffice/do/" not in page
