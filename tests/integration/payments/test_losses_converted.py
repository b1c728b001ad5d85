"""Payments that settled in another currency: what banks and people at the provider take of them."""

from collections.abc import Iterator

import pytest

from multitask.money import Money
from multitask.payments.errors import WrongState
from multitask.payments.escrow import unapplied as booked_funds
from multitask.payments.funding import unapplied_payments
from multitask.payments.losses import outside_refunds
from multitask.payments.models import Chargeback, HistoryRow, Loss, Refund
from tests.integration.payments.losing import book, parts, the_books_equal_the_providers
from tests.integration.payments.test_chargebacks import close, learn
from tests.payments_world import Job, World, held, user_id

__all__ = ["the_books_equal_the_providers"]


def settle_euros_at(world: World, rate: str) -> None:
    rules = {"eur": {"currency": "usd", "rate": rate}} if rate else {}
    world.sandbox.control("POST", "accounts/platform/settlement", rules)


@pytest.fixture
def job(world: World) -> Iterator[Job]:
    """A payment of 100.00 euros that reached the balance as 110.00 dollars; the rate has risen since."""
    settle_euros_at(world, "1.10")
    made = world.hired(Money(10_000, "EUR"))
    world.ask_to_pay(made)
    world.pay(made)
    world.learn_of_payment(made)
    settle_euros_at(world, "1.20")
    yield made
    settle_euros_at(world, "")


def lost(world: World, job: Job, **more: int) -> Chargeback:
    made = world.sandbox.control("POST", "disputes", {"charge": job.payment.provider_collection_id, **more})
    learn(world, made["id"])
    close(world, made["id"], "lost")
    return Chargeback.objects.get()


def unapplied(job: Job) -> int:
    return held(f"unapplied:{job.payment.pk}")


def test_a_lost_chargeback_is_booked_in_the_currency_of_the_balance(world: World, job: Job) -> None:
    chargeback = lost(world, job)
    assert (chargeback.amount, chargeback.taken) == (Money(10_000, "EUR"), Money(12_000, "USD"))
    loss = book(world, chargeback)
    # What the bank took beyond the payment is the platform's loss by the exchange.
    assert (loss.amount, parts(loss)) == (Money(12_000, "USD"), (11_000, 0, 0, 0, 1_000))
    assert (unapplied(job), job.payment.state) == (0, "returned")
    row = HistoryRow.objects.get(reference=f"chargeback:{chargeback.pk}", user_id=user_id(job.client))
    assert (row.amount_minor, row.currency, row.status) == (10_000, "EUR", "completed")


def test_a_chargeback_that_is_won_later_brings_the_payment_back_to_review(world: World, job: Job) -> None:
    chargeback = lost(world, job)
    book(world, chargeback)
    close(world, chargeback.provider_dispute_id, "won")
    assert (unapplied(job), job.payment.state, Loss.objects.get().reversed_at) == (11_000, "review", world.now)
    assert Chargeback.objects.get().taken == Money(0, "USD")


def test_a_chargeback_of_a_part_leaves_the_rest_in_proportion(world: World, job: Job) -> None:
    assert parts(book(world, lost(world, job, amount=4_000))) == (4_400, 0, 0, 0, 400)
    assert (unapplied(job), job.payment.state) == (6_600, "review")
    assert booked_funds.left_of_charge(job.payment) == Money(6_000, "EUR")


def test_what_a_refund_of_a_part_in_the_dashboard_leaves_is_refunded(world: World, job: Job) -> None:
    world.at_provider("refunds", payment_intent=str(job.payment.provider_payment_id), amount="4000")
    world.hear()
    assert (unapplied(job), job.payment.state) == (6_600, "review")
    refund = unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    assert isinstance(refund, Refund)
    assert refund.amount == Money(6_000, "EUR")
    world.work()
    assert world.learn_of_refund(refund).state == "succeeded"
    assert (unapplied(job), job.payment.state, held("platform:exchange")) == (0, "returned", -1_000)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_refund_that_fails_at_another_rate_books_the_exchange(world: World, job: Job, is_known: bool) -> None:
    refund = unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    assert isinstance(refund, Refund)
    world.work()
    if is_known:
        assert world.learn_of_refund(refund).state == "succeeded"
    settle_euros_at(world, "0.90")
    refund.refresh_from_db()
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail")
    assert world.learn_of_refund(refund).state == "failed"
    # It left at 1.20 and came back at 0.90.
    assert (unapplied(job), job.payment.state, held("platform:exchange")) == (11_000, "review", -3_000)


def test_what_the_bank_took_less_than_the_payment_is_a_gain_of_the_platform(world: World, job: Job) -> None:
    settle_euros_at(world, "0.90")
    chargeback = lost(world, job)
    loss = book(world, chargeback)
    assert (loss.amount, parts(loss)) == (Money(9_000, "USD"), (11_000, 0, 0, 0, -2_000))
    assert (unapplied(job), job.payment.state, held("platform:losses")) == (0, "returned", 2_000)
    close(world, chargeback.provider_dispute_id, "won")
    assert (unapplied(job), job.payment.state, held("platform:losses")) == (11_000, "review", 0)


def test_what_the_bank_keeps_of_a_converted_payment_is_booked_anew(world: World, job: Job) -> None:
    chargeback = lost(world, job)
    book(world, chargeback)
    given = {"outcome": "reinstated", "amount": 4_000}
    world.sandbox.control("POST", f"disputes/{chargeback.provider_dispute_id}", given)
    learn(world, chargeback.provider_dispute_id)
    chargeback.refresh_from_db()
    loss = Loss.objects.get(chargeback=chargeback, reversed_at=None)
    assert 0 < chargeback.taken_minor == loss.amount_minor
    assert Loss.objects.filter(chargeback=chargeback).count() == 2
    assert sum(parts(loss)) == loss.amount_minor


def refunded(world: World, job: Job) -> Refund:
    refund = unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    assert isinstance(refund, Refund)
    world.work()
    return refund


def fail(world: World, refund: Refund) -> None:
    refund.refresh_from_db()
    world.sandbox.control("POST", f"refunds/{refund.provider_refund_id}/fail")
    state = world.provider.read_refund(str(refund.provider_refund_id))
    outside_refunds.confirm("stripe", state, world.now)
    outside_refunds.confirm("stripe", state, world.now)


def test_a_refund_that_fails_after_the_charge_was_lost_covers_that_loss(world: World, job: Job) -> None:
    refund = refunded(world, job)
    assert world.learn_of_refund(refund).state == "succeeded"
    chargeback = lost(world, job)
    loss = book(world, chargeback)
    assert parts(loss) == (0, 0, 0, 0, 12_000)
    fail(world, refund)
    loss.refresh_from_db()
    assert parts(loss) == (11_000, 0, 0, 0, 1_000)
    assert (unapplied(job), job.payment.state) == (0, "returned")
    close(world, chargeback.provider_dispute_id, "won")
    assert (unapplied(job), job.payment.state) == (11_000, "review")


def test_a_payment_that_a_bank_has_taken_back_is_not_refunded(world: World, job: Job) -> None:
    chargeback = lost(world, job)
    with pytest.raises(WrongState, match="has taken this payment back"):
        unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    close(world, chargeback.provider_dispute_id, "won")
    assert isinstance(refunded(world, job), Refund)


def test_a_loss_is_not_booked_while_a_refund_of_its_payment_is_under_way(world: World, job: Job) -> None:
    refund = unapplied_payments.return_payment(actor=world.staff(), payment_id=job.payment.pk, now=world.now)
    assert isinstance(refund, Refund)
    chargeback = lost(world, job)
    with pytest.raises(WrongState, match="is under way"):
        book(world, chargeback)
    world.work()
    refund.refresh_from_db()
    assert refund.state != "pending"
    book(world, chargeback)
    assert (unapplied(job), job.payment.state) == (0, "returned")
