"""A share that is lost after it was paid out at the provider ahead: it is owed once, and the books stay equal."""

from datetime import timedelta

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.books import receivables
from multitask.payments.losses import lost_reversals, outside_reversals, write_offs
from multitask.payments.losses.lost_reversals import Bearer
from multitask.payments.models import Receivable, Reversal, Withdrawal
from tests.integration.payments.losing import book, lost, purse
from tests.integration.payments.test_chargebacks import close
from tests.integration.payments.test_partial_reinstatements import end
from tests.integration.statement.books import Books
from tests.payments_world import Job, dollars, held, user_id


def paid_ahead(world: Books, *, arrives: bool) -> tuple[Job, Withdrawal]:
    """A payout of the pending share in the payee's account at the provider."""
    job = world.released()
    account = str(world.account(job.freelancer).provider_account_id)
    world.sandbox.settle(account)
    world.at_provider("payouts", account=account, amount="8500", currency="usd")
    world.hear()
    payout = Withdrawal.objects.get()
    return job, world.arrive(payout) if arrives else payout


def give_up(world: Books, bearer: Bearer = Bearer.PAYEE) -> Reversal:
    reversal = Reversal.objects.get()
    assert lost_reversals.can_be_given_up(reversal)
    given_up = lost_reversals.give_up(
        actor=world.staff(), reversal_id=reversal.pk, bearer=bearer, note="It was paid out", now=world.now
    )
    assert isinstance(given_up, Reversal)
    return given_up


def ahead(job: Job) -> int:
    return held(f"user:{user_id(job.freelancer)}:paid_ahead")


@pytest.mark.parametrize("arrives_first", [True, False])
@pytest.mark.parametrize("bearer", [Bearer.PAYEE, Bearer.PLATFORM])
def test_the_debt_is_borne_once_and_the_books_stay_equal(world: Books, arrives_first: bool, bearer: Bearer) -> None:
    job, payout = paid_ahead(world, arrives=arrives_first)
    book(world, lost(world, job))
    before = held("platform:losses")
    assert give_up(world, bearer).ahead_minor == 8_500
    if not arrives_first:
        world.arrive(payout)
    world.read_all()
    assert world.differences() == []
    assert (ahead(job), purse(world, job)) == (0, (0, 0, 0))
    owed = receivables.owed(user_id(job.freelancer), "USD")
    if bearer is Bearer.PAYEE:
        assert (owed, held("platform:losses")) == (dollars("85.00"), before)
    else:
        assert (owed, held("platform:losses")) == (dollars("0.00"), before - 8_500)


def test_the_debt_is_in_the_ageing_list_before_and_after_it_is_given_up_and_can_be_written_off(world: Books) -> None:
    job, _payout = paid_ahead(world, arrives=True)
    assert write_offs.ageing(now=world.now) == []  # It is pending, and will be netted.
    chargeback = lost(world, job)
    assert write_offs.ageing(now=world.now) == []
    book(world, chargeback)
    (row,) = write_offs.ageing(now=world.now + timedelta(days=35))
    nothing = dollars("0.00")
    assert (row.total, row.ahead) == (dollars("85.00"), dollars("85.00"))
    assert row.by_age == (nothing, dollars("85.00"), nothing, nothing)
    give_up(world)
    (row,) = write_offs.ageing(now=world.now)
    assert (row.total, row.ahead) == (dollars("85.00"), nothing)
    asked = write_offs.write_off(
        actor=world.staff(), receivable_id=Receivable.objects.get().pk, note="Hopeless", now=world.now
    )
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    assert write_offs.ageing(now=world.now) == []
    assert held(f"user:{user_id(job.freelancer)}:receivable") == 0


def test_a_payout_that_fails_after_all_is_the_payees_to_withdraw_and_still_owed(world: Books) -> None:
    job, payout = paid_ahead(world, arrives=False)
    book(world, lost(world, job))
    give_up(world)
    world.sandbox.control("POST", f"payouts/{payout.provider_payout_id}/fail")
    world.hear()
    world.read_all()
    assert world.differences() == []
    assert purse(world, job) == (0, 8_500, 0)
    assert receivables.owed(user_id(job.freelancer), "USD") == dollars("85.00")


def test_a_chargeback_that_is_won_after_all_makes_it_paid_ahead_again(world: Books) -> None:
    job, _payout = paid_ahead(world, arrives=True)
    chargeback = lost(world, job)
    book(world, chargeback)
    give_up(world)
    close(world, chargeback.provider_dispute_id, "won")
    world.work()
    assert receivables.owed(user_id(job.freelancer), "USD") == dollars("0.00")
    world.settle(job)
    world.read_all()
    assert world.differences() == []
    assert (ahead(job), purse(world, job)) == (0, (0, 0, 0))


def test_what_a_later_release_paid_of_it_goes_back_when_the_chargeback_is_won(world: Books) -> None:
    job, _payout = paid_ahead(world, arrives=True)
    chargeback = lost(world, job)
    book(world, chargeback)
    give_up(world)
    world.released(dollars("60.00"), freelancer=job.freelancer)
    close(world, chargeback.provider_dispute_id, "won")
    world.settle(job)
    world.work()
    world.read_all()
    assert world.differences() == []
    assert (ahead(job), purse(world, job)) == (0, (5_100, 0, 0))


@pytest.mark.parametrize("settles_first", [True, False])
@pytest.mark.parametrize("bearer", [Bearer.PAYEE, Bearer.PLATFORM])
def test_what_the_bank_keeps_is_borne_as_was_decided(world: Books, settles_first: bool, bearer: Bearer) -> None:
    before = held("platform:losses")
    job, _payout = paid_ahead(world, arrives=True)
    chargeback = lost(world, job)
    book(world, chargeback)
    give_up(world, bearer)
    if settles_first:
        world.settle(job)
    end(world, chargeback.provider_dispute_id, "reinstated", 4_000)
    if not settles_first:
        world.settle(job)
    world.read_all()
    assert world.differences() == []
    assert (ahead(job), purse(world, job)) == (0, (0, 0, 0))
    owed = receivables.owed(user_id(job.freelancer), "USD")
    if bearer is Bearer.PAYEE:
        assert (owed, held("platform:losses")) == (dollars("51.00"), before)
    else:
        assert (owed, held("platform:losses")) == (dollars("0.00"), before - 5_100)
    world.released(dollars("100.00"), freelancer=job.freelancer)
    assert purse(world, job) == ((0, 3_400, 0) if bearer is Bearer.PAYEE else (0, 8_500, 0))


def test_what_was_given_up_gets_back_before_what_was_taken_back(world: Books) -> None:
    """Of two reversals one takes back 35.00; the other 50.00 were paid out ahead, and the platform bears them."""
    before = held("platform:losses")
    job = world.released()
    account = str(world.account(job.freelancer).provider_account_id)
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount="5000")
    world.hear()
    outside_reversals.transfer_again(actor=world.staff(), reversal_id=Reversal.objects.get().pk, now=world.now)
    world.work()
    world.sandbox.settle(account)
    world.at_provider("payouts", account=account, amount="5000", currency="usd")
    world.hear()
    world.arrive(Withdrawal.objects.get())
    chargeback = lost(world, job)
    loss = book(world, chargeback)
    lost_reversals.give_up(
        actor=world.staff(),
        reversal_id=loss.reversals.get(amount_minor=5_000).pk,
        bearer=Bearer.PLATFORM,
        note="It was paid out",
        now=world.now,
    )
    end(world, chargeback.provider_dispute_id, "reinstated", 4_000)
    assert (held("platform:losses"), ahead(job), purse(world, job)) == (before - 1_600, -3_400, (3_400, 0, 0))
    assert Reversal.objects.get(loss__reversed_at=None, loss__isnull=False).amount_minor == 1_600
    world.settle(job)
    world.read_all()
    assert world.differences() == []
    assert (ahead(job), purse(world, job)) == (0, (0, 0, 0))
