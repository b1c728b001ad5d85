"""A reversal was given up, and the bank gives back a part of the loss: for what it keeps, finance's decision stands."""

from typing import Any

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.books import receivables
from multitask.payments.losses import adjustments, lost_reversals, write_offs
from multitask.payments.losses.lost_reversals import Bearer
from multitask.payments.models import Approval, Chargeback, Operation, Receivable, Reversal
from multitask.web.backoffice import work_queue
from tests.integration.payments.losing import book, lost, parts, purse
from tests.integration.payments.test_partial_reinstatements import end, lasting, reversal_under_way
from tests.payments_world import Job, World, dollars, held, user_id


def given_up(world: World, bearer: Bearer, job: Job | None = None) -> tuple[Job, Chargeback]:
    """A loss whose reversal is refused, since the payee's account was closed, and given up: the payee's whole part."""
    job = job or world.settled()
    chargeback = lost(world, job)
    world.receive(world.deauthorized(str(world.account(job.freelancer).provider_account_id)))
    world.work()
    book(world, chargeback)
    lost_reversals.give_up(
        actor=world.staff(), reversal_id=Reversal.objects.get().pk, bearer=bearer, note="It was closed", now=world.now
    )
    return job, chargeback


def recover(world: World, job: Job, amount: str) -> None:
    """A later release to the payee's new account pays what they owe."""
    world.create_account(job.freelancer)
    world.fill_in(job.freelancer)
    world.hear()
    world.settle(world.released(dollars(amount), freelancer=job.freelancer))
    world.work()


def write_off(world: World, receivable: Receivable) -> None:
    asked = write_offs.write_off(actor=world.staff(), receivable_id=receivable.pk, note="Hopeless", now=world.now)
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)


def owed(job: Job) -> int:
    return receivables.owed(user_id(job.freelancer), "USD").amount_minor


def decisions() -> list[tuple[int, bool]]:
    """The amounts of the lasting loss's reversals, and whether each is given up."""
    rows = lasting().reversals.order_by("pk")
    return [(row.amount_minor, row.given_up_at is not None) for row in rows]


def tried() -> int:
    return Operation.objects.filter(kind="create_reversal").count()


def test_only_what_came_back_is_returned_of_what_was_recovered(world: World) -> None:
    job, chargeback = given_up(world, Bearer.PAYEE)
    recover(world, job, "200.00")
    end(world, chargeback.provider_dispute_id, "reinstated", 4_000)
    assert Operation.objects.get(kind="transfer_adjustment").arguments["amount_minor"] == 3_400
    assert (owed(job), decisions(), tried()) == (0, [(5_100, True)], 1)
    assert not work_queue.refused_transfers(world.now).exists()


def test_what_the_platform_bears_is_not_taken_from_the_payee(world: World) -> None:
    before = held("platform:losses")
    job, chargeback = given_up(world, Bearer.PLATFORM)
    end(world, chargeback.provider_dispute_id, "reinstated", 4_000)
    assert (owed(job), decisions(), tried()) == (0, [(5_100, True)], 1)
    assert held("platform:losses") == before - 5_100
    assert purse(world, job) == (0, 3_400, 0)


def test_what_the_payee_owes_is_as_old_as_before_and_shrinks_with_what_comes_back(world: World) -> None:
    job, chargeback = given_up(world, Bearer.PAYEE)
    owed_since = Receivable.objects.get().created_at
    world.wait(days=3)
    for amount, left in ((4_000, 5_100), (2_000, 3_400)):
        end(world, chargeback.provider_dispute_id, "reinstated", amount)
        assert (owed(job), decisions(), tried()) == (left, [(left, True)], 1)
        assert receivables.open_ones().get().created_at == owed_since
    end(world, chargeback.provider_dispute_id, "reinstated")
    assert (owed(job), purse(world, job)) == (0, (0, 8_500, 0))


def test_a_debt_that_was_given_up_leaves_as_much_room_for_another_as_before(world: World, settings: Any) -> None:
    settings.RECEIVABLE_LIMIT_MINOR = 6_000
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("35.00")))
    _job, chargeback = given_up(world, Bearer.PAYEE, job)
    assert parts(lasting()) == (0, 5_000, 1_500, 3_500, 0)
    end(world, chargeback.provider_dispute_id, "reinstated", 2_000)
    assert parts(lasting()) == (0, 5_000, 1_200, 1_800, 0)
    assert (owed(job), decisions()) == (6_800, [(5_000, True)])


def test_what_was_written_off_stays_written_off(world: World) -> None:
    before = held("platform:losses")
    job, chargeback = given_up(world, Bearer.PAYEE)
    recover(world, job, "20.00")
    write_off(world, Receivable.objects.get())
    for _part, platform in ((1, 3_400), (2, 0)):
        end(world, chargeback.provider_dispute_id, "reinstated", 4_000)
        assert (owed(job), held("platform:losses")) == (0, before - platform)
    assert not Operation.objects.filter(kind="transfer_adjustment").exists()


def test_what_was_recovered_of_a_debt_pays_it_before_any_other(world: World) -> None:
    before = held("platform:losses")
    job = world.settled()
    world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    chargeback = lost(world, job)
    book(world, chargeback)
    world.released(dollars("20.00"), freelancer=job.freelancer)
    write_off(world, Receivable.objects.get())
    asked = adjustments.adjust(
        actor=world.staff(),
        user_id=user_id(job.freelancer),
        amount=dollars("-60.00"),
        note="Our mistake",
        now=world.now,
    )
    assert isinstance(asked, Approval)
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    assert held("platform:losses") == before - 6_800
    end(world, chargeback.provider_dispute_id, "reinstated", 4_000)
    assert (owed(job), held("platform:losses")) == (6_000, before - 3_400)


@pytest.mark.parametrize("bearer", [Bearer.PAYEE, Bearer.PLATFORM])
def test_what_was_given_up_beyond_the_payees_part_is_not_given_twice(world: World, bearer: Bearer) -> None:
    """The reversal of 85.00 was begun before the bank gave back a part, of which 34.00 was transferred again."""
    before = held("platform:losses")
    job, chargeback = reversal_under_way(world, "drop_request")
    assert (decisions(), parts(lasting())) == ([(8_500, False)], (0, 5_100, 900, 0, 0))
    world.receive(world.deauthorized(str(world.account(job.freelancer).provider_account_id)))
    world.wait(minutes=10)
    world.work()
    reversal = lasting().reversals.get()
    assert reversal.state == "failed"
    lost_reversals.give_up(
        actor=world.staff(), reversal_id=reversal.pk, bearer=bearer, note="It was closed", now=world.now
    )
    end(world, chargeback.provider_dispute_id, "reinstated")
    beyond = {Bearer.PAYEE: (3_400, before), Bearer.PLATFORM: (0, before - 3_400)}
    assert (owed(job), held("platform:losses")) == beyond[bearer]
