"""Refunds before release: who may at once, who has to ask, and what becomes of the request."""

from datetime import timedelta
from typing import Any

import pytest

from multitask.money import Money
from multitask.payments import actions, approvals, disputes, escrow, fulfilment, notices, refunds
from multitask.payments.access import Identifier
from multitask.payments.errors import (
    AmountTooLarge,
    CurrencyMismatch,
    DisputeOpen,
    EscrowFrozen,
    Forbidden,
    KeyReused,
    NotFound,
    NotFunded,
    RefundInProgress,
    WrongState,
)
from multitask.payments.models import Approval, Dispute, Escrow, HistoryRow, Notice, Refund
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.payments_world import Job, World, dollars, held


def answer(world: World, job: Job, *, accept: bool, actor: Actor | None = None, **more: Any) -> Any:
    return refunds.answer(actor=actor or job.freelancer, refund_id=job.refund.pk, accept=accept, now=world.now, **more)


def test_a_client_takes_the_money_back_before_the_work_has_started(world: World) -> None:
    job = world.funded()
    refund = world.refund(job)
    assert (refund.state, refund.amount_minor) == ("pending", 10_000)
    assert held(f"escrow:{job.escrow.pk}") == 0
    assert held(f"refund:{refund.pk}") == 10_000
    assert world.work() == ["perform_operation"]
    assert job.refund.state == "succeeded"
    assert job.escrow.state == "refunded"
    assert (job.escrow.refunded_minor, job.escrow.refunded_at) == (10_000, world.now)
    assert held(f"refund:{refund.pk}") == 0
    assert held("provider:stripe:balance") == 320
    (made,) = world.made("refund", f"create_refund:{refund.pk}:1")
    assert (made["amount"], made["status"]) == (10_000, "succeeded")
    assert job.history()[-2:] == ["refund_started", "refunded"]


def test_a_client_takes_the_money_back_after_the_task_was_cancelled(world: World) -> None:
    job = world.started()
    fulfilment.cancel(actor=job.freelancer, task_id=job.task_id, now=world.now)
    assert world.refund(job).state == "pending"


@pytest.mark.parametrize("stage", ["started", "delivered", "completed"])
def test_once_the_work_has_started_a_client_has_to_ask(world: World, stage: str) -> None:
    job = getattr(world, stage)()
    refund = world.refund(job)
    assert refund.state == "requested"
    assert refund.answer_by_at == world.now + timedelta(days=7)
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    assert world.work() == []
    assert job.history()[-1] == "refund_requested"


@pytest.mark.parametrize("stage", ["funded", "started", "delivered", "completed"])
@pytest.mark.parametrize("who", ["freelancer", "finance", "admin"])
def test_freelancer_and_finance_staff_refund_at_once(world: World, stage: str, who: str) -> None:
    job = getattr(world, stage)()
    actor = job.freelancer if who == "freelancer" else world.staff(who)
    assert world.refund(job, actor).state == "pending"
    world.work()
    assert job.escrow.state == "refunded"


def test_support_staff_may_not_refund(world: World) -> None:
    job = world.funded()
    with pytest.raises(Forbidden):
        world.refund(job, world.staff("support"))


def test_strangers_do_not_even_see_the_escrow(world: World) -> None:
    job = world.funded()
    for actor in (world.client(), world.freelancer(onboarded=False), Actor.visitor()):
        with pytest.raises(NotFound):
            world.refund(job, actor)


def test_part_of_the_money_goes_back_and_the_rest_is_released(world: World) -> None:
    job = world.completed()
    world.refund(job, job.freelancer, dollars("25.00"))
    world.work()
    assert (job.escrow.state, job.escrow.refunded_minor) == ("funded", 2_500)
    assert job.escrow.remaining == dollars("75.00")
    assert held(f"escrow:{job.escrow.pk}") == 7_500
    assert world.release(job).released_minor == 7_500
    assert held(f"escrow:{job.escrow.pk}") == 0


def test_parts_may_go_back_one_after_another_until_nothing_is_left(world: World) -> None:
    job = world.funded()
    for part in ("60.00", "39.99"):
        world.refund(job, amount=dollars(part))
        world.work()
    assert job.escrow.state == "funded"
    with pytest.raises(AmountTooLarge):
        world.refund(job, amount=dollars("0.02"))
    world.refund(job, amount=dollars("0.01"))
    world.work()
    assert job.escrow.state == "refunded"


def test_without_an_amount_everything_that_is_left_goes_back(world: World) -> None:
    job = world.funded()
    world.refund(job, amount=dollars("60.00"))
    world.work()
    assert world.refund(job).amount == dollars("40.00")


def test_more_than_is_left_is_refused(world: World) -> None:
    job = world.funded()
    with pytest.raises(AmountTooLarge) as refusal:
        world.refund(job, amount=dollars("100.01"))
    assert "100.00" in refusal.value.fields["amount"]
    assert not Refund.objects.exists()


def test_another_currency_is_refused(world: World) -> None:
    with pytest.raises(CurrencyMismatch):
        world.refund(world.funded(), amount=Money(1_000, "EUR"))


def test_an_unpaid_escrow_has_nothing_to_refund(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    with pytest.raises(NotFunded):
        world.refund(job)


def test_a_released_escrow_has_nothing_to_refund(world: World) -> None:
    job = world.released()
    for actor in (job.client, job.freelancer, world.staff()):
        with pytest.raises(WrongState):
            world.refund(job, actor)


def test_a_refunded_escrow_has_nothing_left(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    with pytest.raises(WrongState):
        world.refund(job)


def test_one_refund_at_a_time(world: World) -> None:
    asked = world.started()
    world.refund(asked)
    under_way = world.funded()
    world.refund(under_way)
    for job in (asked, under_way):
        for actor in (job.client, job.freelancer, world.staff()):
            with pytest.raises(RefundInProgress):
                world.refund(job, actor)


def test_nothing_is_refunded_while_a_dispute_is_open(world: World) -> None:
    job = world.started()
    disputes.open_dispute(actor=job.freelancer, escrow_id=job.escrow.pk, reason="Scope", now=world.now)
    for actor in (job.client, job.freelancer, world.staff()):
        with pytest.raises(DisputeOpen):
            world.refund(job, actor)


def test_nothing_is_refunded_while_the_payment_is_contested(world: World) -> None:
    job = world.funded()
    Escrow.objects.filter(pk=job.escrow.pk).update(frozen_at=world.now)
    with pytest.raises(EscrowFrozen):
        world.refund(job)


def test_the_same_request_again_answers_the_same_refund(world: World) -> None:
    job = world.funded()
    first = world.refund(job, amount=dollars("10.00"), request_key="one")
    assert world.refund(job, amount=dollars("10.00"), request_key="one").pk == first.pk
    assert world.refund(job, request_key="one").pk == first.pk
    with pytest.raises(KeyReused):
        world.refund(job, amount=dollars("11.00"), request_key="one")
    with pytest.raises(KeyReused):
        world.refund(world.funded(client=job.client), amount=dollars("10.00"), request_key="one")
    assert Refund.objects.count() == 1


def test_the_same_key_for_another_reason_is_another_request(world: World) -> None:
    job = world.funded()
    world.refund(job, request_key="one")
    with pytest.raises(KeyReused):
        refunds.ask_or_refund(
            actor=job.client, escrow_id=job.escrow.pk, amount=None, reason="duplicate", now=world.now, request_key="one"
        )


# -- answers


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


def test_a_large_request_answered_meanwhile_is_approved_no_more(world: World) -> None:
    job = world.started(dollars("2500.00"))
    world.refund(job)
    asked = answer(world, job, accept=True, actor=world.staff())
    answer(world, job, accept=True)
    with pytest.raises(WrongState):
        approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
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


# -- what each may do is what the page says that each may do


def allowed(actor: Actor, job: Job) -> list[str]:
    return actions.allowed(actor, Escrow.objects.select_related("task").get(pk=job.escrow.pk))


@pytest.mark.parametrize(
    ("stage", "client", "freelancer"),
    [
        ("funded", ["refund", "dispute"], ["refund", "dispute"]),
        ("started", ["request_refund", "dispute"], ["refund", "dispute"]),
        ("delivered", ["complete", "request_refund", "dispute"], ["refund", "dispute"]),
        ("completed", ["release", "request_refund", "dispute"], ["refund", "dispute"]),
        ("released", [], []),
    ],
)
def test_each_sees_what_he_may_do(world: World, stage: str, client: list[str], freelancer: list[str]) -> None:
    job = getattr(world, stage)()
    finance = ["release", "refund"] if stage != "released" else []
    assert allowed(job.client, job) == client
    assert allowed(job.freelancer, job) == freelancer
    assert allowed(world.staff(), job) == finance
    assert allowed(world.staff("support"), job) == []


def test_what_may_be_done_before_payment_and_about_a_request(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    assert (allowed(job.client, job), allowed(job.freelancer, job)) == (["pay"], [])
    job = world.started()
    world.refund(job)
    assert allowed(job.client, job) == ["withdraw_refund"]
    assert allowed(job.freelancer, job) == ["accept_refund", "refuse_refund"]
    assert allowed(world.staff(), job) == ["accept_refund", "refuse_refund"]
    assert allowed(world.staff("support"), job) == []
    answer(world, job, accept=True)
    assert allowed(job.client, job) == allowed(job.freelancer, job) == []


def test_what_may_be_done_about_a_dispute_and_a_frozen_escrow(world: World) -> None:
    job = world.started()
    identifier: Identifier = job.escrow.public_id
    disputes.open_dispute(actor=job.client, escrow_id=identifier, reason="Late", now=world.now)
    assert allowed(job.client, job) == allowed(job.freelancer, job) == allowed(world.staff("support"), job) == []
    assert allowed(world.staff(), job) == ["settle"]
    Escrow.objects.filter(pk=job.escrow.pk).update(frozen_at=world.now)
    assert allowed(world.staff(), job) == []


def test_the_history_of_a_refund_follows_it(world: World) -> None:
    job = world.funded()
    refund = world.refund(job, amount=dollars("10.00"))
    row = HistoryRow.objects.get(reference=f"refund:{refund.pk}")
    assert (row.user_id, row.type, row.direction, row.status) == (job.client.user_id, "refund", "in", "pending")
    world.work()
    row.refresh_from_db()
    assert (row.status, row.processed_at, row.amount_minor) == ("completed", world.now, 1_000)
    assert escrow.timeline(job.escrow)[-1].amount_minor == 1_000
