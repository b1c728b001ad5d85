"""Refunds that fail after the bank took the same money with a chargeback: what comes back bears that loss."""

import pytest

from multitask.payments.errors import WrongState
from multitask.payments.escrow import refunds, refunds_by_bank
from multitask.payments.losses import late_refunds, outside_refunds
from multitask.payments.models import Chargeback, Escrow, Loss, Refund
from tests.integration.payments.losing import book, lost, parts, purse, row, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close
from tests.integration.payments.test_money_moved_outside import refund_late
from tests.payments_world import REFUNDED_LATER, Job, World, dollars, held, user_id

__all__ = ["the_books_equal_the_providers"]


def refunded(world: World, job: Job, amount: str) -> Refund:
    world.refund(job, job.freelancer, dollars(amount))
    world.work()
    return world.learn_of_refund(job.refund)


def bounce(world: World, refund: Refund) -> None:
    """Let the client's bank send a refund back; its event comes twice."""
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail")
    world.hear()
    state = world.provider.read_refund(str(refund.provider_refund_id))
    outside_refunds.confirm("stripe", state, world.now)
    refund.refresh_from_db()
    assert refund.state == "failed"


def in_escrow(job: Job) -> tuple[str, int, int]:
    """The escrow's state, what is in it, and what it has lost to the bank."""
    escrow: Escrow = job.escrow
    return (escrow.state, held(f"escrow:{escrow.pk}"), escrow.charged_back_minor)


# -- refunds before the release


def test_a_whole_refund_that_bounces_bears_the_whole_loss(world: World) -> None:
    job = world.started()
    refund = refunded(world, job, "100.00")
    loss = book(world, lost(world, job, amount=10_000))
    assert parts(loss) == (0, 0, 0, 0, 10_000)
    bounce(world, refund)
    loss.refresh_from_db()
    assert parts(loss) == (10_000, 0, 0, 0, 0)
    assert in_escrow(job) == ("charged_back", 0, 10_000)
    assert (held("platform:losses"), job.task.status) == (0, "cancelled")
    assert job.history().count("loss_covered") == 1


def test_a_partial_refund_that_bounces_bears_what_the_platform_bore(world: World) -> None:
    job = world.started()
    refund = refunded(world, job, "40.00")
    loss = book(world, lost(world, job, amount=10_000))
    assert parts(loss) == (6_000, 0, 0, 0, 4_000)
    bounce(world, refund)
    loss.refresh_from_db()
    assert parts(loss) == (10_000, 0, 0, 0, 0)
    assert (in_escrow(job), held("platform:losses")) == (("charged_back", 0, 10_000), 0)


def test_a_refund_of_more_than_was_lost_leaves_the_rest_in_escrow(world: World) -> None:
    job = world.started()
    refund = refunded(world, job, "100.00")
    book(world, lost(world, job, amount=3_000))
    bounce(world, refund)
    assert (in_escrow(job), held("platform:losses")) == (("funded", 7_000, 3_000), 0)


def test_a_refund_whose_money_the_bank_has_not_taken_goes_back_to_escrow_whole(world: World) -> None:
    job = world.started()
    refund = refunded(world, job, "40.00")
    book(world, lost(world, job, amount=3_000))
    bounce(world, refund)
    assert (in_escrow(job), held("platform:losses")) == (("funded", 7_000, 3_000), 0)
    assert "loss_covered" not in job.history()


def test_a_chargeback_that_is_won_later_gives_the_escrow_back_what_it_bore(world: World) -> None:
    job = world.started()
    refund = refunded(world, job, "100.00")
    chargeback = lost(world, job, amount=10_000)
    book(world, chargeback)
    bounce(world, refund)
    close(world, chargeback.provider_dispute_id, "won")
    assert (in_escrow(job), held("platform:losses")) == (("funded", 10_000, 0), 0)


# -- refunds after the release


def test_a_loss_is_not_booked_while_a_refund_after_the_release_is_under_way(world: World) -> None:
    job = world.settled(card=REFUNDED_LATER)
    refund = refund_late(world, job, actor=world.staff(), amount=dollars("40.00"))
    assert refund.state == "pending"
    chargeback = lost(world, job, amount=10_000)
    with pytest.raises(WrongState):
        book(world, chargeback)
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail")
    world.hear()
    late_refunds.give_up(actor=world.staff(), refund_id=refund.pk, now=world.now)
    assert parts(book(world, chargeback))[4] == 0


def bounced_late(world: World, job: Job, amount: str, lost_minor: int) -> Refund:
    """A refund after the release that bounces after a chargeback, whose loss is booked."""
    refund = refund_late(world, job, actor=world.staff(), amount=dollars(amount))
    book(world, lost(world, job, amount=lost_minor))
    bounce(world, refund)
    return refund


def give_up(world: World, refund: Refund) -> None:
    late_refunds.give_up(actor=world.staff(), refund_id=refund.pk, now=world.now)
    with pytest.raises(WrongState):
        late_refunds.give_up(actor=world.staff(), refund_id=refund.pk, now=world.now)
    world.work()


def test_what_a_late_refund_gives_back_bears_the_loss_when_it_is_given_up(world: World) -> None:
    job = world.settled()
    refund = bounced_late(world, job, "40.00", 10_000)
    assert (held("platform:losses"), purse(world, job)) == (-4_000, (0, 0, 0))
    give_up(world, refund)
    assert parts(Loss.objects.get(reversed_at=None)) == (0, 8_500, 1_500, 0, 0)
    assert (held("platform:losses"), held("platform:fees"), purse(world, job)) == (0, 0, (0, 0, 0))
    assert (job.escrow.returned_minor, job.escrow.contested_minor) == (10_000, 0)
    assert row(user_id(job.freelancer), f"chargeback:{Chargeback.objects.get().pk}") == ("completed", "out", 8_500)


def test_it_bears_the_loss_also_before_its_share_is_available(world: World) -> None:
    job = world.released()
    give_up(world, bounced_late(world, job, "40.00", 10_000))
    assert parts(Loss.objects.get(reversed_at=None)) == (0, 8_500, 1_500, 0, 0)
    assert (held("platform:losses"), job.escrow.contested_minor, purse(world, job)) == (0, 0, (0, 0, 0))


def test_it_bears_only_what_the_bank_took_beyond_the_rest(world: World) -> None:
    job = world.settled()
    give_up(world, bounced_late(world, job, "100.00", 3_000))
    assert parts(Loss.objects.get(reversed_at=None)) == (0, 2_550, 450, 0, 0)
    assert (held("platform:losses"), held("platform:fees"), job.escrow.contested_minor) == (0, 1_050, 0)
    assert purse(world, job) == (0, 5_950, 0)


def test_it_is_not_tried_again_since_the_client_has_the_money_from_the_bank(world: World) -> None:
    job = world.settled()
    refund = bounced_late(world, job, "40.00", 10_000)
    with pytest.raises(WrongState):
        refunds.retry(actor=world.staff(), refund_id=refund.pk, now=world.now)
    with pytest.raises(WrongState):
        refunds_by_bank.record(actor=world.staff(), refund_id=refund.pk, note="Transfer 7", now=world.now)
    give_up(world, refund)


def test_one_whose_money_the_bank_has_not_taken_is_tried_again(world: World) -> None:
    job = world.settled()
    refund = bounced_late(world, job, "40.00", 3_000)
    assert refunds_by_bank.may_be_recorded(refund)
    give_up(world, refund)
    assert parts(Loss.objects.get(reversed_at=None)) == (0, 2_550, 450, 0, 0)
    assert (held("platform:losses"), purse(world, job)) == (0, (0, 5_950, 0))


def test_a_chargeback_that_is_won_after_all_gives_the_payee_the_whole_share_back(world: World) -> None:
    job = world.settled()
    give_up(world, bounced_late(world, job, "40.00", 10_000))
    close(world, Chargeback.objects.get().provider_dispute_id, "won")
    world.work()
    assert (held("platform:losses"), held("platform:fees"), purse(world, job)) == (0, 1_500, (0, 8_500, 0))


def test_what_bounces_after_the_rest_was_released_and_all_was_lost_is_not_refunded_again(world: World) -> None:
    """Its money stays where it is: whose it is depends on what the bank gives back."""
    job = world.completed()
    refund = refunded(world, job, "40.00")
    world.release(job)
    world.work()
    book(world, lost(world, job, amount=10_000))
    bounce(world, refund)
    refund.refresh_from_db()
    assert (refund.state, refund.holds_money, held(f"refund:{refund.pk}")) == ("failed", True, 4_000)

    with pytest.raises(WrongState, match="not refunded again"):
        refunds.retry(actor=world.staff(), refund_id=refund.pk, now=world.now)
    with pytest.raises(WrongState):
        refunds_by_bank.record(actor=world.staff(), refund_id=refund.pk, note="Transfer 7", now=world.now)
    assert held(f"refund:{refund.pk}") == 4_000


def test_what_bounces_after_the_rest_was_released_is_refunded_again_without_a_loss(world: World) -> None:
    job = world.completed()
    refund = refunded(world, job, "40.00")
    world.release(job)
    world.work()
    bounce(world, refund)

    again = refunds.retry(actor=world.staff(), refund_id=refund.pk, now=world.now)

    world.work()
    again.refresh_from_db()
    assert (again.state, again.amount) == ("succeeded", dollars("40.00"))
