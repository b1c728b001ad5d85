"""A share that can never be taken back is given up: the payee owes it, or the platform bears it."""

from typing import Any

import pytest

from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import receivables
from multitask.payments.errors import Forbidden, WrongState
from multitask.payments.losses import late_refunds, lost_reversals
from multitask.payments.losses.lost_reversals import Bearer
from multitask.payments.models import Approval, AuditEvent, Receivable, Reversal
from multitask.payments.payouts import reversals
from multitask.payments.provider import Rejected
from multitask.web.backoffice import work_queue
from tests.payments_world import Job, World, dollars, held, user_id


def refuse(self: Any, provider: Any, operation: Any) -> Any:
    """Stand for a provider that refuses the call for good: the payee's account was closed."""
    raise Rejected("account_closed", "The account was closed")


def refused(world: World, monkeypatch: pytest.MonkeyPatch, amount: Money | None = None) -> tuple[Job, Reversal]:
    """A share that could not be taken back when the staff refunded the client after the release."""
    job = world.settled() if amount is None else world.settled(amount)
    monkeypatch.setattr(reversals.CreateReversal, "call", refuse)
    refund = late_refunds.refund(
        actor=world.staff(), escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now
    )
    if isinstance(refund, Approval):
        approvals.decide(actor=world.staff(), approval_id=refund.pk, approve=True, now=world.now)
    world.work()
    monkeypatch.undo()
    return job, Reversal.objects.get()


def account(reversal: Reversal) -> int:
    return held(f"provider:stripe:account:{reversal.account_id}")


def fail_refund(world: World, job: Job) -> None:
    """The client's bank sends the refund back, and the staff gives it up: the loss did not last."""
    refund = job.refund
    world.learn_of_refund(refund)
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail")
    world.learn_of_refund(refund)
    late_refunds.give_up(actor=world.staff(), refund_id=refund.pk, note="Their bank refused", now=world.now)


def test_the_payee_owes_what_stays_in_their_account(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job, reversal = refused(world, monkeypatch)
    assert account(reversal) == -8_500
    finance = world.staff()
    for _time in range(2):
        lost_reversals.give_up(
            actor=finance, reversal_id=reversal.pk, bearer=Bearer.PAYEE, note="It was closed", now=world.now
        )
    assert account(reversal) == 0
    assert receivables.owed(user_id(job.freelancer), "USD") == dollars("85.00")
    told = AuditEvent.objects.get(event="reversal_given_up")
    assert (told.note, told.details) == ("It was closed", {"bearer": "payee"})
    assert not work_queue.refused_transfers(world.now).exists()
    with pytest.raises(WrongState):
        reversals.retry(actor=finance, reversal_id=reversal.pk, now=world.now)


def test_the_platform_bears_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job, reversal = refused(world, monkeypatch)
    before = held("platform:losses")
    lost_reversals.give_up(
        actor=world.staff(), reversal_id=reversal.pk, bearer=Bearer.PLATFORM, note="Gone", now=world.now
    )
    assert (account(reversal), held("platform:losses")) == (0, before - 8_500)
    assert not Receivable.objects.filter(user_id=user_id(job.freelancer)).exists()


@pytest.mark.parametrize("bearer", [Bearer.PAYEE, Bearer.PLATFORM])
def test_a_loss_that_did_not_last_gives_it_back(world: World, monkeypatch: pytest.MonkeyPatch, bearer: Bearer) -> None:
    job, reversal = refused(world, monkeypatch)
    lost_reversals.give_up(
        actor=world.staff(), reversal_id=reversal.pk, bearer=bearer, note="It was closed", now=world.now
    )
    fail_refund(world, job)
    assert account(reversal) == -8_500
    assert receivables.owed(user_id(job.freelancer), "USD") == dollars("0.00")
    assert world.wallet(job.freelancer).available == dollars("85.00")
    assert held("platform:losses") == 0


def test_what_was_recovered_meanwhile_goes_back_to_the_payee(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job, reversal = refused(world, monkeypatch)
    lost_reversals.give_up(
        actor=world.staff(), reversal_id=reversal.pk, bearer=Bearer.PAYEE, note="It was closed", now=world.now
    )
    later = world.released(dollars("60.00"), freelancer=job.freelancer)
    assert later.escrow.netted_minor == 5_100
    fail_refund(world, job)
    row = Receivable.objects.get()
    assert (row.reversal_id, row.recovered_minor, row.cancelled_minor) == (reversal.pk, 5_100, 3_400)
    assert held(f"user:{user_id(job.freelancer)}:receivable") == 0
    wallet = world.wallet(job.freelancer)
    assert (wallet.available, wallet.pending) == (dollars("85.00"), dollars("51.00"))


def test_a_large_one_needs_a_second_person(world: World, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    _job, reversal = refused(world, monkeypatch)
    settings.SECOND_PERSON_ABOVE_MINOR = 1
    asked = lost_reversals.give_up(
        actor=world.staff(), reversal_id=reversal.pk, bearer=Bearer.PAYEE, note="It was closed", now=world.now
    )
    assert isinstance(asked, Approval)
    assert account(reversal) == -8_500
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    assert account(reversal) == 0


def test_what_is_not_refused_is_not_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job, reversal = refused(world, monkeypatch)
    finance = world.staff()
    for actor in (job.freelancer, world.staff("support")):
        with pytest.raises(Forbidden):
            lost_reversals.give_up(actor=actor, reversal_id=reversal.pk, bearer=Bearer.PAYEE, note="Why", now=world.now)
    for bearer, note in ((Bearer.NOBODY, "Why"), (Bearer.PAYEE, " ")):
        with pytest.raises(WrongState):
            lost_reversals.give_up(actor=finance, reversal_id=reversal.pk, bearer=bearer, note=note, now=world.now)
    reversals.retry(actor=finance, reversal_id=reversal.pk, now=world.now)
    world.work()
    with pytest.raises(WrongState):
        lost_reversals.give_up(actor=finance, reversal_id=reversal.pk, bearer=Bearer.PAYEE, note="Why", now=world.now)
