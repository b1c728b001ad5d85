"""What is left of one escrow's share among a payee's other earnings: one rule, at a cost that does not grow."""

import itertools
import json

import pytest
from django.db import connection, transaction
from django.db.models import Value

from multitask.payments.authorization import approvals
from multitask.payments.books import shares
from multitask.payments.losses import adjustments
from multitask.payments.models import Approval, Chargeback, Escrow
from multitask.payments.reads import allocation
from tests.integration.payments.test_chargebacks import contest
from tests.integration.payments.test_hot_reads import multiply
from tests.integration.payments.test_where import seen_by
from tests.payments_world import SETTLED_AT_ONCE, Job, World, dollars, user_id

# Earned one after the other, except that two and two became available at the same moment; some were lost in part.
EARNED = """
UPDATE payments_escrow
   SET released_minor = total_minor, released_fee_minor = fee_minor, released_at = %(now)s,
       reclaimed_minor = CASE WHEN id %% 7 = 0 THEN 100 ELSE 0 END,
       contested_minor = CASE WHEN id %% 11 = 0 THEN 300 ELSE 0 END,
       made_available_at = %(now)s + make_interval(secs => (id / 2)::int)
 WHERE state = 'released' AND made_available_at IS NULL
"""


def adjust(world: World, job: Job, amount: str) -> None:
    """Give the payee an adjustment, and let it become available."""
    world.funded(dollars("5000.00"), card=SETTLED_AT_ONCE)
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars(amount), note="Goodwill", now=world.now
    )
    assert isinstance(asked, Approval)
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    world.wait(hours=30)
    for found in adjustments.due(now=world.now):
        adjustments.make_available(adjustment_id=found, now=world.now)


def places(job: Job) -> dict[str, int]:
    return {part.place.value: part.amount.amount_minor for part in allocation.parts(job.escrow)}


def test_withdrawals_take_adjustments_before_shares_for_every_reader(world: World) -> None:
    job = world.settled()
    adjust(world, job, "50.00")
    assert places(job) == {"available": 8_500, "fee": 1_500}
    withdrawal = world.withdrawn(job.freelancer, dollars("100.00"))
    assert places(job) == {"withdrawing": 5_000, "available": 3_500, "fee": 1_500}
    world.arrive(withdrawal)
    assert places(job) == {"bank": 5_000, "available": 3_500, "fee": 1_500}
    seen_by(world, job.freelancer, job)
    assert world.wallet(job.freelancer).available == dollars("35.00")
    assert shares.unspent(job.escrow) == dollars("35.00")
    contest(world, job)
    assert Chargeback.objects.get().held_minor == 3_500
    assert places(job) == {"bank": 5_000, "contested": 3_500, "fee": 1_500}


def earned(job: Job, world: World, number: int, *, first: int) -> list[Escrow]:
    """The payee's available escrows, in order, after so many more were added."""
    multiply(job, number, "released", first=first)
    with connection.cursor() as cursor:
        cursor.execute(EARNED, {"now": world.now})
        cursor.execute("ANALYZE payments_escrow")
    found = Escrow.objects.filter(freelancer=user_id(job.freelancer), made_available_at__isnull=False)
    return list(found.order_by("made_available_at", "pk"))


def after(escrow: Escrow, enough: int) -> int:
    rows = Escrow.objects.filter(pk=escrow.pk).annotate(later=shares.earned_after(escrow, Value(enough)))
    return int(rows.values_list("later", flat=True).get())


def test_what_was_earned_later_is_counted_as_far_as_the_balance_reaches(world: World) -> None:
    job = world.settled()
    with transaction.atomic():
        found = earned(job, world, 60, first=10)
        each = [escrow.payee_share.amount_minor for escrow in found]
        for place, enough in itertools.product(range(0, len(found), 7), (-5, 0, 1, 50_000, 10**9)):
            assert after(found[place], enough) == max(0, min(sum(each[place + 1 :]), enough))
        transaction.set_rollback(True)
    assert len(each) == 61


def blocks(escrow: Escrow) -> int:
    """How many blocks of the database one reading of an escrow touches, once it is planned."""
    found = []
    with connection.cursor() as cursor:
        for _ in range(3):
            cursor.execute(
                "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT payments_escrow_detail(%s, NULL, NULL)", [escrow.pk]
            )
            ((answer,),) = cursor.fetchall()
            plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
            found.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    return min(found)


@pytest.mark.parametrize("place", [0, 5, -1])
def test_an_escrow_touches_no_more_however_much_its_payee_has_earned_and_withdrawn(world: World, place: int) -> None:
    # The ledger knows this share alone, so all the others but one count as withdrawn.
    job = world.settled()
    with transaction.atomic():
        few = blocks(earned(job, world, 10, first=10)[place])
        many = blocks(earned(job, world, 8_000, first=100)[place])
        transaction.set_rollback(True)
    assert many < few + 30 < 200
