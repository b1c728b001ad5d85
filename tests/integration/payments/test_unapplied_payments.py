"""Payments that arrive but fit no escrow: another amount than asked for, a second one, one too late."""

from multitask.marketplace import work
from multitask.payments.books import history
from multitask.payments.models import HistoryRow, Payment, Refund
from tests.payments_world import Job, World, dollars, held, user_id


def deposit_row(job: Job) -> HistoryRow:
    return HistoryRow.objects.get(user_id=user_id(job.client), reference=f"payment:{job.payment.pk}")


def test_another_amount_than_asked_for_goes_to_review(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", amount="9000")
    world.pay(job)
    world.hear()
    assert job.escrow.state == "pending_payment"
    assert (job.payment.state, job.payment.review_reason) == ("review", "amount_mismatch")
    assert held(f"escrow:{job.escrow.pk}") == 0
    assert held(f"unapplied:{job.payment.pk}") == 9_000
    assert deposit_row(job).status == "failed"
    assert not Refund.objects.exists()
    assert job.history()[-1] == "payment_review"


def test_another_currency_than_asked_for_goes_to_review(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.at_provider(f"payment_intents/{job.payment.provider_payment_id}", currency="eur")
    world.pay(job)
    world.hear()
    assert (job.payment.state, job.payment.review_reason) == ("review", "amount_mismatch")
    assert held(f"unapplied:{job.payment.pk}", "EUR") == 10_000
    assert job.escrow.state == "pending_payment"


def test_after_a_mismatch_the_client_may_pay_anew(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    wrong = job.payment
    world.at_provider(f"payment_intents/{wrong.provider_payment_id}", amount="9000")
    world.pay(job)
    world.hear()
    intent = world.ask_to_pay(job)
    assert not intent.existing
    assert intent.payment.pk != wrong.pk
    world.pay(job)
    world.hear()
    assert job.escrow.state == "funded"
    assert job.escrow.provider_payment_id == intent.payment.provider_payment_id


def second_payment(world: World, job: Job) -> Payment:
    """A payment of the same escrow that our commands would not make, paid in full at the provider."""
    payment = Payment.objects.create(
        escrow=job.escrow, provider="stripe", amount_minor=10_000, currency="USD", created_at=world.now
    )
    history.deposit_requested(job.escrow, payment, world.now)
    made = world.provider.create_payment(
        reference=f"create_payment:{payment.pk}:1",
        amount=dollars("100.00"),
        customer_id="",
        description="",
        key=f"second:{payment.pk}",
    )
    assert made.continuation is not None
    world.browser.pay(made.continuation.token)
    return payment


def test_a_second_payment_of_a_funded_escrow_is_sent_back(world: World) -> None:
    job = world.funded()
    second = second_payment(world, job)
    world.hear()
    second.refresh_from_db()
    assert (second.state, second.review_reason) == ("returned", "second_payment")
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    assert held(f"unapplied:{second.pk}") == 0
    refund = Refund.objects.get(payment=second)
    assert (refund.source, refund.state, refund.amount_minor) == ("unapplied", "succeeded", 10_000)
    assert job.escrow.state == "funded"
    assert world.wallet(job.client).lifetime_spent == dollars("100.00")


def test_a_second_payment_leaves_the_escrow_free_to_be_released(world: World) -> None:
    job = world.completed()
    second_payment(world, job)
    world.hear()
    assert world.release(job).state == "released"


def test_a_payment_of_a_cancelled_escrow_is_sent_back(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    work.cancel(actor=job.client, task_id=job.task_id, now=world.now)
    world.hear()
    assert job.escrow.state == "cancelled"
    assert job.payment.state == "returned"
    assert held(f"escrow:{job.escrow.pk}") == held(f"unapplied:{job.payment.pk}") == 0
    assert world.wallet(job.client).lifetime_spent == dollars("0.00")


def test_money_for_a_payment_that_was_given_up_is_sent_back(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    Payment.objects.filter(pk=job.payment.pk).update(state="cancelled")
    world.pay(job)
    world.hear()
    assert (job.payment.state, job.payment.review_reason) == ("returned", "second_payment")
    assert job.escrow.state == "pending_payment"
