"""What becomes of a refund that a client asked for: who answers it, how often, and who takes it back."""

from typing import Any

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.errors import (
    EscrowFrozen,
    Forbidden,
    NotFound,
    WrongState,
)
from multitask.payments.escrow import refunds
from multitask.payments.models import Approval, Dispute, Escrow, Notice, Refund
from multitask.payments.notices import notices
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.payments_world import Job, World, dollars, held


def answer(world: World, job: Job, *, accept: bool, actor: Actor | None = None, **more: Any) -> Any:
    return refunds.answer(actor=actor or job.freelancer, refund_id=job.refund.pk, accept=accept, now=world.now, **more)


def test_the_freelancer_accepts_and_the_money_goes_back(world: World) -> None:
    job = world.started()
    world.refund(job, amount=dollars("70.00"))
    refund = answer(world, job, accept=True, note="Fair enough")
    assert (refund.state, refund.answer_note, refund.decided_by_id) == (
        "pending",
        "Fair enough",
        job.freelancer.user_id,
    )
    world.work()
    assert job.refund.state == "succeeded"
    assert job.escrow.remaining == dollars("30.00")
    assert job.history()[-3:] == ["refund_requested", "refund_accepted", "refunded"]


def test_a_refusal_opens_a_dispute(world: World) -> None:
    job = world.started()
    world.refund(job)
    assert answer(world, job, accept=False, note="The work is done").state == "refused"
    assert (job.escrow.state, job.escrow.dispute_reason) == ("disputed", "The work is done")
    dispute = Dispute.objects.get(escrow=job.escrow)
    assert (dispute.refund_id, dispute.opened_by_id) == (job.refund.pk, job.freelancer.user_id)
    assert job.history()[-2:] == ["refund_refused", "dispute_opened"]


def test_a_refusal_without_words_disputes_the_clients_reason(world: World) -> None:
    job = world.started()
    world.refund(job)
    answer(world, job, accept=False)
    assert job.escrow.dispute_reason == "requested_by_customer"


@pytest.mark.parametrize("accept", [True, False])
def test_only_the_freelancer_and_finance_staff_answer(world: World, accept: bool) -> None:
    job = world.started()
    world.refund(job)
    for actor in (job.client, world.staff("support")):
        with pytest.raises(Forbidden):
            answer(world, job, accept=accept, actor=actor)
    with pytest.raises(NotFound):
        answer(world, job, accept=accept, actor=world.freelancer(onboarded=False))
    assert job.refund.state == "requested"


def test_finance_staff_accepts_in_the_freelancers_place(world: World) -> None:
    job, finance = world.started(), world.staff()
    world.refund(job)
    answer(world, job, accept=True, actor=finance, note="Agreed on the phone")
    world.work()
    assert (job.refund.state, job.refund.decided_by_id, job.refund.answer_note) == (
        "succeeded",
        finance.user_id,
        "Agreed on the phone",
    )
    assert job.history()[-3:] == ["refund_requested", "refund_granted", "refunded"]
    notices.collect(now=world.now)
    told = Notice.objects.filter(kind="refund_granted").values_list("user_id", flat=True)
    assert set(told) == {job.client.user_id, job.freelancer.user_id}


def test_finance_staff_refuses_in_the_freelancers_place(world: World) -> None:
    job, finance = world.started(), world.staff()
    world.refund(job)
    answer(world, job, accept=False, actor=finance, note="The work is done")
    assert (job.refund.state, job.escrow.state) == ("refused", "disputed")
    assert Dispute.objects.get().opened_by_id == finance.user_id
    assert job.history()[-2:] == ["refund_denied", "dispute_opened"]


def test_staff_answers_no_request_of_its_own(world: World) -> None:
    job = world.started()
    world.refund(job)
    User.objects.filter(pk=job.client.user_id).update(staff_role="finance", is_staff=True)
    client = Actor.of(User.objects.get(pk=job.client.user_id))
    with pytest.raises(Forbidden):
        answer(world, job, accept=True, actor=client)


def test_a_large_request_that_staff_accepts_waits_for_a_second_person(world: World) -> None:
    job, finance = world.started(dollars("2500.00")), world.staff()
    world.refund(job)
    asked = answer(world, job, accept=True, actor=finance, note="Agreed", request_key="one")
    assert isinstance(asked, Approval)
    assert answer(world, job, accept=True, actor=finance, note="Agreed", request_key="one") == asked
    with pytest.raises(WrongState):
        answer(world, job, accept=False, actor=finance)
    assert (job.refund.state, held(f"escrow:{job.escrow.pk}")) == ("requested", 250_000)

    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)

    world.work()
    assert (job.refund.state, job.escrow.state) == ("succeeded", "refunded")
    assert Refund.objects.count() == 1


def test_while_staff_accepts_a_large_request_its_freelancer_does_not_answer_it(world: World) -> None:
    job = world.started(dollars("2500.00"))
    world.refund(job)
    asked = answer(world, job, accept=True, actor=world.staff())
    with pytest.raises(WrongState, match="second person"):
        answer(world, job, accept=True)
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=False, now=world.now)
    answer(world, job, accept=True)
    assert job.history().count("refund_accepted") == 1


def test_what_staff_has_refused_is_no_part_of_what_it_refunded(world: World) -> None:
    job, finance = world.started(dollars("1500.00")), world.staff()
    world.refund(job, amount=dollars("900.00"))
    answer(world, job, accept=False, actor=finance)
    assert not approvals.is_large(job.escrow, dollars("900.00"))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_a_request_is_answered_once(world: World, first: bool, second: bool) -> None:
    job = world.started()
    world.refund(job)
    state = answer(world, job, accept=first).state
    with pytest.raises(WrongState):
        answer(world, job, accept=second)
    assert job.refund.state == state
    assert Dispute.objects.count() == int(not first)


def test_the_same_answer_again_is_the_same_answer(world: World) -> None:
    job = world.started()
    world.refund(job)
    answer(world, job, accept=True, request_key="one")
    assert answer(world, job, accept=True, request_key="one").state == "pending"
    assert job.history().count("refund_accepted") == 1


def test_a_request_about_a_contested_payment_is_not_answered(world: World) -> None:
    job = world.started()
    world.refund(job)
    Escrow.objects.filter(pk=job.escrow.pk).update(frozen_at=world.now)
    with pytest.raises(EscrowFrozen):
        answer(world, job, accept=True)


def test_a_client_takes_a_request_back(world: World) -> None:
    job = world.completed()
    world.refund(job)
    refund = refunds.withdraw(actor=job.client, refund_id=job.refund.pk, now=world.now)
    assert (refund.state, refund.decided_at) == ("withdrawn", world.now)
    assert job.history()[-1] == "refund_withdrawn"
    assert world.release(job).state == "released"


def test_nobody_else_takes_a_request_back(world: World) -> None:
    job = world.started()
    world.refund(job)
    for actor in (job.freelancer, world.staff()):
        with pytest.raises(Forbidden):
            refunds.withdraw(actor=actor, refund_id=job.refund.pk, now=world.now)


def test_what_is_no_request_any_more_is_not_taken_back(world: World) -> None:
    job = world.started()
    world.refund(job)
    answer(world, job, accept=True)
    with pytest.raises(WrongState):
        refunds.withdraw(actor=job.client, refund_id=job.refund.pk, now=world.now)
    with pytest.raises(NotFound):
        refunds.withdraw(actor=job.client, refund_id=4_000_000_000, now=world.now)


def test_a_request_that_was_withdrawn_may_be_made_again(world: World) -> None:
    job = world.started()
    world.refund(job)
    refunds.withdraw(actor=job.client, refund_id=job.refund.pk, now=world.now)
    assert world.refund(job).state == "requested"
