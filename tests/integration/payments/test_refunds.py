"""Refunds before release: who may at once, who has to ask, and what becomes of the request."""

from datetime import timedelta
from typing import Any

import pytest

from multitask.marketplace import work
from multitask.money import Money
from multitask.payments.authorization.access import Identifier
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
from multitask.payments.escrow import disputes, permitted_actions, refunds, releases
from multitask.payments.models import Escrow, HistoryRow, Refund
from multitask.users.actor import Actor
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
    work.cancel(actor=job.freelancer, task_id=job.task_id, now=world.now)
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


# -- what each may do is what the page says that each may do


def allowed(actor: Actor, job: Job) -> list[str]:
    return permitted_actions.allowed(actor, Escrow.objects.select_related("milestone").get(pk=job.escrow.pk))


@pytest.mark.parametrize(
    ("stage", "client", "freelancer"),
    [
        ("funded", ["refund", "dispute"], ["refund", "dispute"]),
        ("started", ["request_refund", "dispute"], ["refund", "dispute"]),
        ("delivered", ["complete", "request_refund", "dispute"], ["refund", "dispute"]),
        ("completed", ["release", "request_refund", "dispute"], ["refund", "dispute"]),
        ("released", [], ["refund_released"]),
    ],
)
def test_each_sees_what_he_may_do(world: World, stage: str, client: list[str], freelancer: list[str]) -> None:
    job = getattr(world, stage)()
    finance = ["release", "refund"] if stage != "released" else ["refund_released"]
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
    assert releases.timeline(job.escrow)[-1].amount_minor == 1_000
