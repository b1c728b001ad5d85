"""From an accepted application to money in escrow."""

from dataclasses import replace

import pytest
from pytest_django import Settings

from multitask.money import Money
from multitask.payments import fulfilment, funding, operations
from multitask.payments.errors import (
    ApplicationNotAccepted,
    Forbidden,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
    UnknownObject,
    WrongState,
)
from multitask.payments.models import Customer, Escrow, HistoryRow, Operation, Payment, Refund
from multitask.payments.provider import PaymentState, PaymentStatus
from multitask.tasks import board
from tests import payments_world
from tests.payments_world import Job, World, dollars, held


def deposit_row(job: Job, payment: Payment | None = None) -> HistoryRow:
    return HistoryRow.objects.get(user_id=job.client.user_id, reference=f"payment:{(payment or job.payment).pk}")


def test_the_first_request_creates_escrow_and_payment(world: World) -> None:
    job = world.hired(dollars("123.45"))
    intent = world.ask_to_pay(job)
    assert not intent.existing
    assert intent.escrow.state == "pending_payment"
    assert (intent.escrow.total_minor, intent.escrow.fee_minor, intent.escrow.freelancer_minor) == (12_345, 1_852, 10_493)
    assert intent.payment.client_secret.startswith(str(intent.payment.provider_payment_id))
    assert intent.escrow.provider_payment_id == intent.payment.provider_payment_id
    assert deposit_row(job).status == "pending"
    assert job.history() == ["payment_requested"]


def test_asking_again_answers_the_same_payment(world: World) -> None:
    job = world.hired()
    first, second = world.ask_to_pay(job), world.ask_to_pay(job)
    assert second.existing
    assert second.payment.client_secret == first.payment.client_secret
    assert Escrow.objects.count() == Payment.objects.count() == 1
    assert len(world.made("payment_intent", f"create_payment:{first.payment.pk}:1")) == 1


def test_asking_after_payment_answers_the_payment_that_succeeded(world: World) -> None:
    job = world.funded()
    again = world.ask_to_pay(job)
    assert again.existing
    assert again.payment.state == "succeeded"


def test_terms_are_frozen_when_the_escrow_is_created(world: World, settings: Settings) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    settings.PLATFORM_FEE_PERCENTAGE, settings.AUTO_RELEASE_DAYS = "50.00", 1
    world.pay(job)
    world.learn_of_payment(job)
    fulfilment.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    fulfilment.complete(actor=job.client, task_id=job.task_id, now=world.now)
    assert world.release(job).released_fee_minor == 1_500
    assert job.escrow.terms.auto_release_days == 14


def test_strangers_do_not_see_the_application(world: World) -> None:
    job = world.hired()
    with pytest.raises(NotFound):
        funding.create_intent(actor=world.client(), application_id=job.application_id, now=world.now)


def test_the_freelancer_does_not_pay(world: World) -> None:
    job = world.hired()
    with pytest.raises(Forbidden):
        funding.create_intent(actor=job.freelancer, application_id=job.application_id, now=world.now)
    assert not Escrow.objects.exists()


def test_an_application_has_to_be_accepted_first(world: World) -> None:
    client, freelancer = world.client(), world.freelancer()
    task = board.post_task(actor=client, now=world.now, title="A", description="B", budget=dollars("100"))
    application = board.apply(actor=freelancer, now=world.now, task_id=task.pk)
    with pytest.raises(ApplicationNotAccepted):
        funding.create_intent(actor=client, application_id=application.pk, now=world.now)


def test_a_cancelled_task_is_not_paid_for(world: World) -> None:
    job = world.hired()
    fulfilment.cancel(actor=job.client, task_id=job.task_id, now=world.now)
    with pytest.raises(WrongState):
        world.ask_to_pay(job)
    assert not Escrow.objects.exists()


def test_only_the_webhook_funds_the_escrow(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    assert job.escrow.state == "pending_payment"
    assert "payment_intent.succeeded" in world.hear()
    assert job.escrow.state == "funded"
    assert job.escrow.funded_at == world.now
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    assert deposit_row(job).status == "completed"


def test_the_processing_fee_is_booked_once(world: World) -> None:
    job = world.funded()
    for _ in range(3):
        world.learn_of_payment(job)
    assert job.payment.fee_minor == 320
    assert held("platform:processing_costs") == -320
    assert held("provider:stripe:balance") == -(10_000 - 320)


def test_a_fee_that_becomes_known_later_is_booked_then(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    state = world.provider.read_payment(str(job.payment.provider_payment_id))
    funding.confirm("stripe", replace(state, fee=None, available_at=None), world.now)
    assert job.escrow.state == "funded"
    assert job.payment.fee_minor is None
    assert held("platform:processing_costs") == 0
    funding.confirm("stripe", state, world.now)
    assert held("platform:processing_costs") == -320
    assert job.payment.available_at == state.available_at


def test_a_payment_without_a_fee_books_none(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    state = world.provider.read_payment(str(job.payment.provider_payment_id))
    funding.confirm("stripe", replace(state, fee=Money.zero("USD")), world.now)
    assert job.payment.fee_minor == 0
    assert held("platform:processing_costs") == 0


@pytest.mark.parametrize(
    ("card", "reason"),
    [(payments_world.DECLINED, "Your card was declined."), (payments_world.SHORT_OF_FUNDS, "insufficient funds")],
)
def test_a_declined_card_leaves_the_payment_open(world: World, card: str, reason: str) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job, card)
    world.hear()
    assert job.escrow.state == "pending_payment"
    assert job.payment.state == "pending"
    assert reason in job.payment.failure_reason
    assert job.history() == ["payment_requested", "payment_failed"]
    world.pay(job)
    world.hear()
    assert job.escrow.state == "funded"
    assert job.payment.failure_code == ""


def test_the_same_decline_is_written_down_once(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job, payments_world.DECLINED)
    world.learn_of_payment(job)
    world.learn_of_payment(job)
    assert job.history() == ["payment_requested", "payment_failed"]


def test_three_d_secure_funds_once_it_is_passed(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job, payments_world.CHALLENGED)
    world.learn_of_payment(job)
    assert job.payment.provider_status == "action_required"
    assert job.escrow.state == "pending_payment"
    world.sandbox.control("POST", f"intents/{job.payment.provider_payment_id}/authenticate", {"passed": True})
    world.hear()
    assert job.escrow.state == "funded"


def test_three_d_secure_that_fails_funds_nothing(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job, payments_world.CHALLENGED)
    world.sandbox.control("POST", f"intents/{job.payment.provider_payment_id}/authenticate", {"passed": False})
    world.hear()
    assert job.escrow.state == "pending_payment"
    assert "authentication" in job.payment.failure_reason
    assert job.history()[-1] == "payment_failed"


def test_a_payment_that_succeeds_before_our_call_has_returned(world: World) -> None:
    job = world.hired()
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payment_intents", count=1)
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    assert job.payment.provider_payment_id is None
    (made,) = world.made("payment_intent", f"create_payment:{job.payment.pk}:1")
    world.browser.pay(made["client_secret"])
    world.hear()
    assert job.escrow.state == "funded"
    again = world.ask_to_pay(job)
    assert (again.existing, again.payment.state) == (True, "succeeded")
    operation = operations.perform(Operation.objects.get(kind="create_payment").pk, now=world.now)
    assert operation.state == "succeeded"
    assert held(f"escrow:{job.escrow.pk}") == 10_000


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/payment_intents"])
@pytest.mark.parametrize("fault", ["drop_request", "drop_response", "rate_limit", "error_before", "error_after"])
def test_after_any_failure_asking_again_goes_on_where_it_stopped(world: World, path: str, fault: str) -> None:
    job = world.hired()
    world.sandbox.add_fault(fault, method="POST", path=path, count=1)
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    if fault == "error_before":
        with pytest.raises(ProviderUnavailable):
            world.ask_to_pay(job)  # The provider repeats its 500 to the same key; only then is a new one used.
    intent = world.ask_to_pay(job)
    assert intent.payment.provider_payment_id
    assert Payment.objects.count() == Customer.objects.count() == 1
    assert len(world.made("payment_intent", f"create_payment:{intent.payment.pk}:1")) == 1
    customer = Customer.objects.get()
    assert len(world.made("customer", f"create_customer:{customer.pk}:1")) == 1


def test_a_crash_after_the_call_is_healed_by_the_sweeper(world: World) -> None:
    job = world.hired()
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payment_intents", count=1)
    with pytest.raises(ProviderUnavailable):
        world.ask_to_pay(job)
    world.wait(minutes=1)
    world.work()
    assert job.payment.provider_payment_id
    assert world.ask_to_pay(job).existing


def test_what_the_provider_refuses_may_be_asked_for_again(world: World) -> None:
    job = world.hired(dollars("0.49"))
    for attempt in (1, 2):
        with pytest.raises(ProviderRefused) as refusal:
            world.ask_to_pay(job)
        assert refusal.value.detail == "amount_too_small"
        assert Operation.objects.filter(kind="create_payment", state="failed").count() == attempt
    assert job.history() == ["payment_requested", "payment_refused", "payment_refused"]


def test_a_customer_that_the_provider_refuses_is_asked_for_anew(world: World) -> None:
    from multitask.users.models import User

    job = world.hired()
    User.objects.filter(pk=job.client.user_id).update(email="not an address")
    with pytest.raises(ProviderRefused):
        world.ask_to_pay(job)
    User.objects.filter(pk=job.client.user_id).update(email="mended@example.com")
    assert world.ask_to_pay(job).payment.provider_payment_id
    states = Operation.objects.filter(kind="create_customer").order_by("pk").values_list("state", flat=True)
    assert list(states) == ["failed", "succeeded"]


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
    made = world.provider.create_payment(
        reference=f"create_payment:{payment.pk}:1",
        amount=dollars("100.00"),
        customer_id="",
        description="",
        key=f"second:{payment.pk}",
    )
    world.browser.pay(made.client_secret)
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
    fulfilment.cancel(actor=job.client, task_id=job.task_id, now=world.now)
    world.hear()
    assert job.escrow.state == "cancelled"
    assert job.payment.state == "returned"
    assert held(f"escrow:{job.escrow.pk}") == held(f"unapplied:{job.payment.pk}") == 0
    assert world.wallet(job.client).lifetime_spent == dollars("0.00")


def test_a_payment_cancelled_at_the_provider_makes_room_for_a_new_one(world: World) -> None:
    job = world.hired()
    first = world.ask_to_pay(job).payment
    world.at_provider(f"payment_intents/{first.provider_payment_id}/cancel")
    world.hear()
    first.refresh_from_db()
    assert first.state == "cancelled"
    assert deposit_row(job, first).status == "cancelled"
    assert job.history() == ["payment_requested", "payment_cancelled"]

    second = world.ask_to_pay(job)
    assert not second.existing
    assert second.payment.provider_payment_id != first.provider_payment_id
    world.pay(job)
    world.hear()
    assert job.escrow.state == "funded"
    assert job.escrow.provider_payment_id == second.payment.provider_payment_id


def test_money_for_a_payment_that_was_given_up_is_sent_back(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    Payment.objects.filter(pk=job.payment.pk).update(state="cancelled")
    world.pay(job)
    world.hear()
    assert (job.payment.state, job.payment.review_reason) == ("returned", "second_payment")
    assert job.escrow.state == "pending_payment"


@pytest.mark.parametrize("reference", ["", "create_payment:1:1", "create_transfer:5:1", "create_payment:x:1", "a:b"])
def test_a_payment_that_nobody_here_made_is_unknown(world: World, reference: str) -> None:
    job = world.hired()
    state = PaymentState(
        id="pi_of_somebody_else", status=PaymentStatus.SUCCEEDED, amount=dollars("100.00"), reference=reference
    )
    with pytest.raises(UnknownObject):
        funding.confirm("stripe", state, world.now)
    assert not Escrow.objects.filter(task_id=job.task_id).exists()


def test_a_refunded_escrow_is_not_paid_again(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    assert job.escrow.state == "refunded"
    again = world.ask_to_pay(job)
    assert (again.existing, again.payment.state) == (True, "succeeded")
    assert Payment.objects.count() == 1
