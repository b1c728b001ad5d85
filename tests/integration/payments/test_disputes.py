"""Disputes between the two sides, and large decisions that need a second person."""

from typing import Any

import pytest
from pytest_django import Settings

from multitask.money import Money
from multitask.payments.authorization import access, approvals
from multitask.payments.errors import (
    AmountMismatch,
    DisputeOpen,
    EscrowFrozen,
    Forbidden,
    FourEyes,
    NotFound,
    NotFunded,
    RefundInProgress,
    WrongState,
)
from multitask.payments.escrow import disputes, refunds
from multitask.payments.models import Approval, Dispute, Escrow, Refund
from multitask.users.actor import Actor
from tests.payments_world import Job, World, dollars, held, user_id


def open_dispute(world: World, job: Job, actor: Actor | None = None, **more: Any) -> Dispute:
    return disputes.open_dispute(
        actor=actor or job.client, escrow_id=job.escrow.pk, reason="Not what I asked for", now=world.now, **more
    )


def settle(
    world: World, dispute: Dispute, client: str, freelancer: str, actor: Actor | None = None, **more: Any
) -> Any:
    return disputes.settle(
        actor=actor or world.staff(),
        dispute_id=dispute.pk,
        client_amount=dollars(client),
        freelancer_amount=dollars(freelancer),
        now=world.now,
        **more,
    )


def disputed(world: World, amount: str = "100.00") -> tuple[Job, Dispute]:
    job = world.delivered(dollars(amount))
    return job, open_dispute(world, job)


@pytest.mark.parametrize("who", ["client", "freelancer"])
@pytest.mark.parametrize("stage", ["funded", "started", "delivered", "completed"])
def test_each_side_may_open_a_dispute(world: World, stage: str, who: str) -> None:
    job = getattr(world, stage)()
    actor = getattr(job, who)
    dispute = open_dispute(world, job, actor)
    assert (dispute.state, dispute.opened_by_id, dispute.opened_at) == ("open", actor.user_id, world.now)
    assert (job.escrow.state, job.escrow.disputed_at) == ("disputed", world.now)
    assert job.escrow.dispute_reason == "Not what I asked for"
    assert job.history()[-1] == "dispute_opened"


def test_staff_opens_no_disputes_and_strangers_see_no_escrow(world: World) -> None:
    job = world.funded()
    for role in ("finance", "support", "admin"):
        with pytest.raises(Forbidden):
            open_dispute(world, job, world.staff(role))
    with pytest.raises(NotFound):
        open_dispute(world, job, world.client())


def test_there_is_no_dispute_about_money_that_is_not_there(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    with pytest.raises(NotFunded):
        open_dispute(world, job)
    with pytest.raises(WrongState):
        open_dispute(world, world.released())


def test_a_second_dispute_is_refused(world: World) -> None:
    job, _ = disputed(world)
    for actor in (job.client, job.freelancer):
        with pytest.raises(WrongState):
            open_dispute(world, job, actor)
    assert Dispute.objects.count() == 1


def test_the_same_request_again_answers_the_same_dispute(world: World) -> None:
    job = world.delivered()
    first = open_dispute(world, job, request_key="one")
    assert open_dispute(world, job, request_key="one").pk == first.pk


def test_a_refund_under_way_is_waited_for(world: World) -> None:
    job = world.started()
    world.refund(job)
    with pytest.raises(RefundInProgress):
        open_dispute(world, job, job.freelancer)


@pytest.mark.parametrize(
    ("client", "freelancer", "share", "fee"),
    [
        ("0.00", "100.00", 8_500, 1_500),
        ("100.00", "0.00", 0, 0),
        ("50.00", "50.00", 4_250, 750),
        ("99.97", "0.03", 3, 0),
        ("33.33", "66.67", 5_667, 1_000),
    ],
)
def test_finance_staff_settles_with_a_split(world: World, client: str, freelancer: str, share: int, fee: int) -> None:
    job, dispute = disputed(world)
    finance = world.staff()
    settled = settle(world, dispute, client, freelancer, finance, note="Half was done")
    assert (settled.state, settled.settled_by_id, settled.settled_at) == ("settled", finance.user_id, world.now)
    assert settled.settlement_note == "Half was done"
    world.work()
    assert held(f"user:{user_id(job.freelancer)}:pending") == share
    assert held("platform:fees") == fee
    assert held(f"escrow:{job.escrow.pk}") == 0
    back = dollars(client).amount_minor
    assert job.escrow.refunded_minor == back
    assert job.escrow.state == ("released" if share else "refunded")
    assert job.task.status == ("completed" if share else "cancelled")
    assert [r.state for r in Refund.objects.all()] == (["succeeded"] if back else [])
    assert "dispute_settled" in job.history()


def test_what_is_left_after_a_partial_refund_is_what_is_settled(world: World) -> None:
    job = world.started()
    world.refund(job, job.freelancer, dollars("40.00"))
    world.work()
    dispute = open_dispute(world, job)
    with pytest.raises(AmountMismatch):
        settle(world, dispute, "50.00", "50.00")
    settle(world, dispute, "10.00", "50.00")
    world.work()
    assert (job.escrow.refunded_minor, job.escrow.released_minor) == (5_000, 5_000)


@pytest.mark.parametrize(
    ("client", "freelancer"), [("50.00", "49.99"), ("50.00", "50.01"), ("0.00", "0.00"), ("-10.00", "110.00")]
)
def test_amounts_that_do_not_add_up_are_refused(world: World, client: str, freelancer: str) -> None:
    job, dispute = disputed(world)
    with pytest.raises(AmountMismatch):
        settle(world, dispute, client, freelancer)
    assert job.escrow.state == "disputed"
    assert held(f"escrow:{job.escrow.pk}") == 10_000


def test_amounts_of_another_currency_are_refused(world: World) -> None:
    _, dispute = disputed(world)
    with pytest.raises(AmountMismatch):
        disputes.settle(
            actor=world.staff(), dispute_id=dispute.pk, client_amount=Money(10_000, "EUR"),
            freelancer_amount=Money(0, "EUR"), now=world.now,
        )  # fmt: skip


def test_only_finance_staff_settles(world: World) -> None:
    job, dispute = disputed(world)
    for actor in (job.client, job.freelancer, world.staff("support")):
        with pytest.raises(Forbidden):
            settle(world, dispute, "50.00", "50.00", actor)
    for stranger in (world.client(), Actor.visitor()):
        with pytest.raises(NotFound):
            settle(world, dispute, "50.00", "50.00", stranger)


@pytest.mark.parametrize("side", ["client", "freelancer"])
def test_nobody_settles_a_dispute_of_his_own(world: World, side: str) -> None:
    both = world.staff("finance", is_client=True, is_freelancer=True)
    world.onboard(both)
    job = world.delivered(client=both) if side == "client" else world.delivered(freelancer=both)
    dispute = open_dispute(world, job, both)
    with pytest.raises(Forbidden):
        settle(world, dispute, "50.00", "50.00", both)


def test_a_dispute_is_settled_once(world: World) -> None:
    job, dispute = disputed(world)
    settle(world, dispute, "50.00", "50.00", request_key="one")
    assert settle(world, dispute, "50.00", "50.00", request_key="one").pk == dispute.pk
    with pytest.raises(WrongState):
        settle(world, dispute, "50.00", "50.00", request_key="two")
    world.work()
    assert (job.escrow.refunded_minor, job.escrow.released_minor) == (5_000, 5_000)


def test_a_contested_payment_is_not_shared_out(world: World) -> None:
    job, dispute = disputed(world)
    Escrow.objects.filter(pk=job.escrow.pk).update(frozen_at=world.now)
    with pytest.raises(EscrowFrozen):
        settle(world, dispute, "50.00", "50.00")


def test_a_dispute_that_does_not_exist_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        access.dispute(world.staff(), 4_000_000_000)


def test_a_dispute_after_a_refusal_is_settled_like_any_other(world: World) -> None:
    job = world.started()
    world.refund(job)
    refunds.answer(actor=job.freelancer, refund_id=job.refund.pk, accept=False, note="Done", now=world.now)
    settle(world, Dispute.objects.get(), "100.00", "0.00")
    world.work()
    assert job.escrow.state == "refunded"


# -- four eyes


@pytest.fixture
def limit(settings: Settings) -> int:
    settings.SECOND_PERSON_ABOVE_MINOR = 50_000
    return 50_000


def decide(
    world: World, approval: Approval, actor: Actor | None = None, *, approve: bool = True, **more: Any
) -> Approval:
    return approvals.decide(
        actor=actor or world.staff(), approval_id=approval.pk, approve=approve, now=world.now, **more
    )


def test_one_person_alone_refunds_up_to_the_limit(world: World, limit: int) -> None:
    job = world.funded(dollars("500.01"))
    assert isinstance(world.refund(job, world.staff(), Money(limit, "USD")), Refund)


def test_a_large_refund_waits_for_a_second_person(world: World, limit: int) -> None:
    job = world.funded(dollars("500.01"))
    first, second = world.staff(), world.staff()
    approval = world.refund(job, first, Money(limit + 1, "USD"), note="Agreed by telephone")
    assert isinstance(approval, Approval)
    assert held(f"escrow:{job.escrow.pk}") == 50_001
    with pytest.raises(FourEyes):
        decide(world, approval, first)
    assert decide(world, approval, second).approved
    world.work()
    assert job.escrow.state == "refunded"
    assert (job.refund.note, job.refund.requested_by_id) == ("Agreed by telephone", second.user_id)
    assert job.history()[-4:] == ["refund_needs_approval", "refund_approved", "refund_started", "refunded"]


def test_a_large_settlement_waits_for_a_second_person(world: World, limit: int) -> None:
    job, dispute = disputed(world, "600.00")
    first = world.staff()
    approval = settle(world, dispute, "200.00", "400.00", first)
    assert isinstance(approval, Approval)
    assert (job.escrow.state, Dispute.objects.get().state) == ("disputed", "open")
    with pytest.raises(FourEyes):
        decide(world, approval, first)
    second = world.staff()
    decide(world, approval, second)
    world.work()
    dispute.refresh_from_db()
    assert (dispute.state, dispute.settled_by_id) == ("settled", second.user_id)
    assert (job.escrow.refunded_minor, job.escrow.released_minor) == (20_000, 40_000)


def test_what_is_turned_down_moves_nothing_and_may_be_asked_again(world: World, limit: int) -> None:
    job = world.funded(dollars("600.00"))
    finance = world.staff()
    approval = world.refund(job, finance)
    with pytest.raises(FourEyes):
        decide(world, approval, finance, approve=False)
    assert decide(world, approval, approve=False).approved is False
    assert held(f"escrow:{job.escrow.pk}") == 60_000
    assert not Refund.objects.exists()
    assert job.history()[-1] == "refund_turned_down"
    assert world.refund(job, finance).pk != approval.pk


def test_nobody_decides_over_his_own_money(world: World, limit: int) -> None:
    both = world.staff("finance", is_client=True)
    job = world.started(dollars("600.00"), client=both)
    approval = world.refund(job, world.staff())
    with pytest.raises(Forbidden):
        decide(world, approval, both)
    assert held(f"escrow:{job.escrow.pk}") == 60_000


def test_only_finance_staff_decides(world: World, limit: int) -> None:
    job = world.funded(dollars("600.00"))
    approval = world.refund(job, world.staff())
    for actor in (job.client, job.freelancer, world.staff("support"), Actor.visitor()):
        with pytest.raises(Forbidden):
            decide(world, approval, actor)


def test_a_request_is_decided_once(world: World, limit: int) -> None:
    job = world.funded(dollars("600.00"))
    approval = world.refund(job, world.staff())
    second = world.staff()
    decide(world, approval, second, request_key="one")
    assert decide(world, approval, second, request_key="one").approved
    with pytest.raises(WrongState):
        decide(world, approval, second, approve=False)
    assert Refund.objects.count() == 1


def test_a_decision_that_waits_is_not_asked_for_twice(world: World, limit: int) -> None:
    job = world.funded(dollars("600.00"))
    first = world.staff()
    approval = world.refund(job, first, request_key="one")
    assert world.refund(job, first, request_key="one").pk == approval.pk
    with pytest.raises(WrongState):
        world.refund(job, world.staff())


def test_a_settlement_asked_for_again_is_the_same_request(world: World, limit: int) -> None:
    _, dispute = disputed(world, "600.00")
    first = world.staff()
    approval = settle(world, dispute, "200.00", "400.00", first, request_key="one")
    assert settle(world, dispute, "200.00", "400.00", first, request_key="one").pk == approval.pk


def test_an_approval_comes_too_late_when_a_dispute_has_opened(world: World, limit: int) -> None:
    job = world.funded(dollars("600.00"))
    approval = world.refund(job, world.staff())
    open_dispute(world, job)
    with pytest.raises(DisputeOpen):
        decide(world, approval)
    approval.refresh_from_db()
    assert approval.decided_at is None
    assert not decide(world, approval, approve=False).approved


def test_the_two_sides_are_not_held_to_the_limit(world: World, limit: int) -> None:
    job = world.funded(dollars("600.00"))
    assert isinstance(world.refund(job, job.freelancer), Refund)


def test_a_machine_cannot_ask_for_approval(world: World, limit: int) -> None:
    job = world.funded(dollars("600.00"))
    with pytest.raises(Forbidden):
        world.refund(job, Actor.system("script"))


def test_an_approval_that_does_not_exist_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        approvals.decide(actor=world.staff(), approval_id=4_000_000_000, approve=True, now=world.now)


def test_staff_alone_sees_what_waits(world: World, limit: int) -> None:
    job = world.funded(dollars("600.00"))
    approval = world.refund(job, world.staff())
    assert list(approvals.visible(world.staff("support"))) == [approval]
    for actor in (job.client, job.freelancer, Actor.visitor()):
        with pytest.raises(Forbidden):
            approvals.visible(actor)
