"""From an accepted application to money in escrow."""

from dataclasses import replace

import pytest
from pytest_django import Settings

from multitask.marketplace import applications, paying, tasks, work
from multitask.marketplace.paying import ApplicationNotAccepted
from multitask.money import Money
from multitask.payments.errors import (
    Forbidden,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
    UnknownObject,
    WrongState,
)
from multitask.payments.funding import payment_results
from multitask.payments.models import Customer, Escrow, HistoryRow, Milestone, Operation, Payment
from multitask.payments.operations import engine
from multitask.payments.provider import PaymentState, PaymentStatus
from tests import payments_world
from tests.payments_world import Job, World, dollars, held, user_id


def deposit_row(job: Job, payment: Payment | None = None) -> HistoryRow:
    return HistoryRow.objects.get(user_id=user_id(job.client), reference=f"payment:{(payment or job.payment).pk}")


def test_the_first_request_creates_escrow_and_payment(world: World) -> None:
    job = world.hired(dollars("123.45"))
    intent = world.ask_to_pay(job)
    assert not intent.existing
    assert intent.escrow.state == "pending_payment"
    assert (intent.escrow.total_minor, intent.escrow.fee_minor, intent.escrow.freelancer_minor) == (
        12_345,
        1_852,
        10_493,
    )
    assert intent.payment.payer_token.startswith(str(intent.payment.provider_payment_id))
    assert intent.escrow.provider_payment_id == intent.payment.provider_payment_id
    assert deposit_row(job).status == "pending"
    assert job.history() == ["payment_requested"]


def test_asking_again_answers_the_same_payment(world: World) -> None:
    job = world.hired()
    first, second = world.ask_to_pay(job), world.ask_to_pay(job)
    assert second.existing
    assert second.payment.payer_token == first.payment.payer_token
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
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    work.complete(actor=job.client, task_id=job.task_id, now=world.now)
    assert world.release(job).released_fee_minor == 1_500
    assert job.escrow.terms.auto_release_days == 14


def test_strangers_do_not_see_the_application(world: World) -> None:
    job = world.hired()
    with pytest.raises(NotFound):
        paying.create_intent(actor=world.client(), application_id=job.application_id, now=world.now)


def test_the_freelancer_does_not_pay(world: World) -> None:
    job = world.hired()
    with pytest.raises(Forbidden):
        paying.create_intent(actor=job.freelancer, application_id=job.application_id, now=world.now)
    assert not Escrow.objects.exists()


def test_an_application_has_to_be_accepted_first(world: World) -> None:
    client, freelancer = world.client(), world.freelancer()
    task = tasks.post_task(actor=client, now=world.now, title="A", description="B", budget=dollars("100"))
    application = applications.apply(actor=freelancer, now=world.now, task_id=task.pk)
    with pytest.raises(ApplicationNotAccepted):
        paying.create_intent(actor=client, application_id=application.pk, now=world.now)


def test_a_cancelled_task_is_not_paid_for(world: World) -> None:
    job = world.hired()
    work.cancel(actor=job.client, task_id=job.task_id, now=world.now)
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
    payment_results.confirm("stripe", replace(state, fee=None, available_at=None), world.now)
    assert job.escrow.state == "funded"
    assert job.payment.fee_minor is None
    assert held("platform:processing_costs") == 0
    payment_results.confirm("stripe", state, world.now)
    assert held("platform:processing_costs") == -320
    assert job.payment.available_at == state.available_at


def test_a_payment_without_a_fee_books_none(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    state = world.provider.read_payment(str(job.payment.provider_payment_id))
    payment_results.confirm("stripe", replace(state, fee=Money.zero("USD")), world.now)
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
    assert job.payment.failure_reason.startswith("Your bank could not confirm that it was you.")
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
    operation = engine.perform(Operation.objects.get(kind="create_payment").pk, now=world.now)
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
    job = world.hired()
    # More than Stripe takes, which no route allows.
    Milestone.objects.filter(agreement__task=job.task_id).update(amount_minor=100_000_000_000)
    for attempt in (1, 2):
        with pytest.raises(ProviderRefused) as refused:
            world.ask_to_pay(job)
        assert refused.value.detail == "amount_too_large"
        assert Operation.objects.filter(kind="create_payment", state="failed").count() == attempt
    assert job.history() == ["payment_requested", "payment_refused", "payment_refused"]


def test_a_customer_that_the_provider_refuses_is_asked_for_anew(world: World) -> None:
    from multitask.users.models import User

    job = world.hired()
    User.objects.filter(pk=user_id(job.client)).update(email="not an address")
    with pytest.raises(ProviderRefused):
        world.ask_to_pay(job)
    User.objects.filter(pk=user_id(job.client)).update(email="mended@example.com")
    assert world.ask_to_pay(job).payment.provider_payment_id
    states = Operation.objects.filter(kind="create_customer").order_by("pk").values_list("state", flat=True)
    assert list(states) == ["failed", "succeeded"]


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


@pytest.mark.parametrize("reference", ["", "create_payment:1:1", "create_transfer:5:1", "create_payment:x:1", "a:b"])
def test_a_payment_that_nobody_here_made_is_unknown(world: World, reference: str) -> None:
    job = world.hired()
    state = PaymentState(
        id="pi_of_somebody_else", status=PaymentStatus.SUCCEEDED, amount=dollars("100.00"), reference=reference
    )
    with pytest.raises(UnknownObject):
        payment_results.confirm("stripe", state, world.now)
    assert not Escrow.objects.filter(agreement__task=job.task_id).exists()


def test_a_refunded_escrow_is_not_paid_again(world: World) -> None:
    job = world.funded()
    world.refund(job)
    world.work()
    assert job.escrow.state == "refunded"
    again = world.ask_to_pay(job)
    assert (again.existing, again.payment.state) == (True, "succeeded")
    assert Payment.objects.count() == 1
