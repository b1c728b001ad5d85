"""The transfer of an adjustment that is reversed in the provider's dashboard: it leaves the wallet, the books agree."""

import pytest
from django.utils import timezone, translation

from multitask.payments.authorization import approvals
from multitask.payments.books import journal
from multitask.payments.losses import adjustments, write_offs
from multitask.payments.models import Adjustment, AdjustmentReversal, AuditEvent, HistoryRow, Operation
from multitask.web.pages.base import labels
from tests.integration.payments.losing import book, lost, purse, row
from tests.integration.statement.books import Books
from tests.payments_world import Job, dollars, held, user_id


@pytest.fixture
def job(world: Books) -> Job:
    """A freelancer with 85.00, and 50.00 on their way by an adjustment."""
    job = world.settled()
    world.give_the_platform_money()
    asked = adjustments.adjust(
        actor=world.staff(), user_id=user_id(job.freelancer), amount=dollars("50.00"), note="Our mistake", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    return job


def arrive(world: Books) -> None:
    assert adjustments.make_available(adjustment_id=Adjustment.objects.get().pk, now=world.now)


def reverse(world: Books, amount: str) -> None:
    transfer = Operation.objects.get(kind=adjustments.TRANSFER_ADJUSTMENT)
    world.at_provider(f"transfers/{transfer.provider_reference}/reversals", amount=amount)


def pending_here(world: Books, job: Job) -> Job:
    """Another 85.00, which the provider has ready before they are available here: it takes a reversal from them."""
    world.now = timezone.now()  # Not ahead of the provider's clock, so that nothing has settled here.
    later = world.released(freelancer=job.freelancer)
    world.sandbox.settle(world.account(job.freelancer).provider_account_id)
    return later


def require_that_the_books_agree(world: Books) -> None:
    world.read_all()
    assert (world.open_items(), world.differences(), held("suspense:stripe")) == ([], [], 0)


@pytest.mark.parametrize("hears", [True, False])
def test_it_leaves_the_wallet_and_its_lines_match(world: Books, job: Job, hears: bool) -> None:
    arrive(world)
    assert purse(world, job) == (0, 13_500, 0)

    reverse(world, "5000")
    if hears:
        world.hear()
        world.hear()
    require_that_the_books_agree(world)  # Where no webhook came, the statement's line tells of it.

    assert (purse(world, job), held("platform:adjustments")) == ((0, 8_500, 0), 0)
    reversal = AdjustmentReversal.objects.get()
    person = user_id(job.freelancer)
    reference = f"adjustment:{reversal.adjustment_id}:reversed:{reversal.pk}"
    assert row(person, reference) == ("completed", "out", 5_000)
    assert world.wallet(job.freelancer).lifetime_earnings == dollars("85.00")
    event = AuditEvent.objects.get(event="adjustment_reversed")
    assert (event.user_id, event.amount_minor) == (person, 5_000)


def test_parts_that_come_back_before_it_is_available_are_not_made_available(world: Books, job: Job) -> None:
    reverse(world, "2000")
    world.hear()
    assert purse(world, job) == (3_000, 8_500, 0)
    reverse(world, "1000")
    world.hear()
    assert (purse(world, job), Adjustment.objects.get().reversed_minor) == ((2_000, 8_500, 0), 3_000)

    arrive(world)

    assert purse(world, job) == (0, 10_500, 0)
    require_that_the_books_agree(world)


def test_what_comes_back_whole_before_it_is_available_waits_for_nothing(world: Books, job: Job) -> None:
    reverse(world, "5000")
    world.hear()
    assert purse(world, job) == (0, 8_500, 0)
    world.wait(hours=30)
    assert adjustments.due(now=world.now) == []
    require_that_the_books_agree(world)


def test_what_is_withdrawn_already_counts_as_paid_out_ahead_and_is_netted(world: Books, job: Job) -> None:
    arrive(world)
    world.withdrawn(job.freelancer, dollars("100.00"))
    later = pending_here(world, job)
    assert purse(world, job) == (8_500, 3_500, 10_000)

    reverse(world, "5000")
    world.hear()

    ahead = f"user:{user_id(job.freelancer)}:paid_ahead"
    assert (purse(world, job), held(ahead)) == ((8_500, 0, 10_000), -1_500)
    assert AdjustmentReversal.objects.get().ahead_minor == 1_500
    require_that_the_books_agree(world)
    world.settle(later)
    assert (purse(world, job), held(ahead)) == ((0, 7_000, 10_000), 0)


def test_what_nothing_is_to_pay_for_is_in_the_ageing_list(world: Books, job: Job) -> None:
    arrive(world)
    world.withdrawn(job.freelancer, dollars("135.00"))
    later = pending_here(world, job)
    reverse(world, "5000")
    world.hear()
    assert write_offs.ageing(now=world.now) == []  # It will be netted from what is pending.
    book(world, lost(world, later))
    (debt,) = write_offs.ageing(now=world.now)
    assert (debt.total, debt.ahead) == (dollars("50.00"), dollars("50.00"))


def test_its_owner_reads_what_happened(world: Books, job: Job) -> None:
    arrive(world)
    reverse(world, "5000")
    world.hear()
    found = HistoryRow.objects.get(user_id=user_id(job.freelancer), reference__contains=":reversed:")
    assert labels.history_row(found).text == "The adjustment was taken back at the payment provider"
    assert [posted.kind for posted in journal.of_row(found)] == ["adjustment_reversed"]
    with translation.override("ar"):
        assert labels.history_row(found).text == "استُرجع التعديل لدى مزوّد الدفع"
