"""Processing of an event: the object is read again, payments apply its state, and the result is recorded.

The events are the sandbox's own; the tests deliver them lost, doubled, shuffled, early and late.
"""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from multitask.money import Money
from multitask.payments.escrow import refunds
from multitask.payments.models import Chargeback, ConnectedAccount, Customer, Payment, Refund, SavedMethod
from multitask.payments.operations import engine
from multitask.payments.states import EscrowState, RefundState, WithdrawalState
from multitask.webhooks import incoming
from multitask.webhooks.models import EventState, IncomingEvent
from tests.contract.rigs import DISPUTED_CARD, RETURNING_BANK, StripeRig
from tests.integration.races import together
from tests.integration.webhooks.conftest import CONNECT_SECRET, Post, make_event
from tests.integration.webhooks.world import World, customer_key, escrow_of, states

pytestmark = pytest.mark.django_db


def test_an_account_is_enabled_by_its_event(world: World) -> None:
    account = world.onboard()

    assert account.onboarding_completed
    assert set(states()) <= {EventState.PROCESSED, EventState.IGNORED}


def test_a_payment_funds_its_escrow(world: World) -> None:
    escrow = world.funded()

    assert escrow.state == EscrowState.FUNDED.value
    assert set(states()) <= {EventState.PROCESSED, EventState.IGNORED}


def test_the_events_body_is_not_believed(world: World, post: Post) -> None:
    payment = world.payment()
    lie = make_event("payment_intent.succeeded", object="payment_intent", status="succeeded")
    lie["data"]["object"]["id"] = payment.provider_payment_id

    post(lie)
    world.process()

    assert escrow_of(payment).state == EscrowState.PENDING_PAYMENT.value
    assert states() == {EventState.PROCESSED: 1}


def test_every_order_of_a_payments_events_ends_the_same(world: World) -> None:
    for order in range(6):
        payment = world.payment()
        world.pay(payment)
        events = world.news()
        assert 2 <= len(events) <= 6
        random.Random(order).shuffle(events)
        for event in events:
            world.deliver([event, event])
            world.process()
        assert escrow_of(payment).state == EscrowState.FUNDED.value


def test_a_lost_event_is_made_good_by_any_other(world: World) -> None:
    payment = world.payment()
    world.pay(payment)
    charged = [event for event in world.news() if event["type"] == "charge.succeeded"]

    world.deliver(charged)
    world.process()

    assert escrow_of(payment).state == EscrowState.FUNDED.value


def test_an_event_that_overtakes_our_own_call_is_taken_over(world: World, rig: StripeRig) -> None:
    world.payment()
    rig.fail("drop_response", "POST", "/v1/payment_intents")
    with pytest.raises(Exception, match="did not answer"):
        world.payment()
    unanswered = Payment.objects.get(provider_payment_id=None)

    world.catch_up()

    unanswered.refresh_from_db()
    assert unanswered.provider_payment_id
    assert EventState.FAILED not in states()
    before = rig.count("payment_intent")
    world.operate()
    assert rig.count("payment_intent") == before


def test_a_transfer_and_its_payout_are_followed_to_the_bank(world: World) -> None:
    world.onboard()
    withdrawal = world.withdrawn()
    world.catch_up()

    world.rig.pass_time(3 * 86_400)
    world.catch_up()

    withdrawal.refresh_from_db()
    assert withdrawal.state == WithdrawalState.COMPLETED.value
    assert EventState.FAILED not in states()


def test_a_payout_that_comes_back_after_it_was_paid_is_followed_too(world: World) -> None:
    world.onboard(bank=RETURNING_BANK)
    withdrawal = world.withdrawn()

    world.rig.pass_time(10 * 86_400)
    events = world.news()
    world.deliver(reversed(events))
    world.process()

    withdrawal.refresh_from_db()
    assert withdrawal.state == WithdrawalState.FAILED.value


def test_a_refund_is_confirmed_by_its_event(world: World) -> None:
    escrow = world.funded()
    world.rig.settle()
    refund = refunds.ask_or_refund(
        actor=world.freelancer, escrow_id=escrow.pk, amount=None, reason="requested", now=timezone.now()
    )
    world.operate()
    world.catch_up()

    assert isinstance(refund, Refund)
    refund.refresh_from_db()
    assert refund.state == RefundState.SUCCEEDED.value


def test_a_chargeback_freezes_its_escrow(world: World) -> None:
    escrow = world.funded(DISPUTED_CARD)
    world.catch_up()

    escrow.refresh_from_db()
    assert Chargeback.objects.get().escrow_id == escrow.pk
    assert escrow.frozen_at is not None


def test_a_card_saved_in_the_browser_is_kept(world: World) -> None:
    world.payment()
    customer = Customer.objects.get()
    provider = engine.provider_named("stripe")
    setup = provider.create_setup(reference="setup", customer_id=str(customer.provider_customer_id), key=customer_key())
    world.rig.save_card(setup.continuation.token)

    world.catch_up()

    assert SavedMethod.objects.get().last4 == "4242"


def test_what_is_not_ours_is_ignored(world: World) -> None:
    provider = engine.provider_named("stripe")
    customer = provider.create_customer(reference="", email="", name="", key=customer_key())
    provider.attach_method(method_id=world.rig.new_method(), customer_id=customer, key=customer_key())
    payment = provider.create_payment(
        reference="", amount=Money(1_000, "USD"), customer_id=customer, description="", key=customer_key()
    )
    assert payment.continuation is not None
    world.rig.pay(payment.continuation.token)
    world.rig.settle()
    provider.create_refund(reference="", payment_id=payment.id, amount=Money(100, "USD"), key=customer_key())
    world.rig.settle()

    events = world.catch_up()

    assert {"payment_intent.succeeded", "refund.created", "payment_method.attached"} <= {e["type"] for e in events}
    assert states() == {EventState.IGNORED: len(events)}
    assert not Payment.objects.exists()


def test_a_refund_made_by_hand_of_a_payment_of_ours_is_not_ignored(world: World) -> None:
    escrow = world.funded()
    world.rig.settle()
    payment = Payment.objects.get(escrow=escrow)
    engine.provider_named("stripe").create_refund(
        reference="", payment_id=str(payment.provider_payment_id), amount=Money(100, "USD"), key=customer_key()
    )

    by_hand = [event for event in world.news() if event["type"] == "refund.created"]
    world.deliver(by_hand)
    world.process()

    event = IncomingEvent.objects.get(event_id=by_hand[0]["id"])
    assert event.state in {EventState.RECEIVED, EventState.PROCESSED}


def test_an_account_that_another_job_took_over_meanwhile_is_read_again(world: World, post: Post) -> None:
    account = str(world.onboard().provider_account_id)
    first, second = (make_event("account.updated", account=account) for _ in range(2))
    for event in (first, second):
        post(event, secret=CONNECT_SECRET)
    ours, other = (IncomingEvent.objects.get(event_id=event["id"]) for event in (first, second))
    # The other job ends while ours is under way, which began before: that is what this mark says.
    IncomingEvent.objects.filter(pk=other.pk).update(
        state=EventState.PROCESSED, processed_at=timezone.now() + timedelta(minutes=1)
    )
    ProcrastinateJob.objects.all()._raw_delete("default")

    assert incoming.process(event_id=ours.pk, now=timezone.now()) == EventState.RECEIVED

    assert ProcrastinateJob.objects.get().args == {"event_id": ours.pk}
    IncomingEvent.objects.filter(pk=other.pk).update(processed_at=timezone.now() - timedelta(minutes=1))
    assert incoming.process(event_id=ours.pk, now=timezone.now()) == EventState.PROCESSED


def test_jobs_of_one_account_do_not_chase_each_other_for_ever(world: World, post: Post) -> None:
    account = str(world.onboard().provider_account_id)
    first, second = (make_event("account.updated", account=account) for _ in range(2))
    for event in (first, second):
        post(event, secret=CONNECT_SECRET)
    IncomingEvent.objects.filter(event_id=second["id"]).update(
        state=EventState.PROCESSED, processed_at=timezone.now() + timedelta(days=1)
    )
    ours = IncomingEvent.objects.get(event_id=first["id"])

    ends = [incoming.process(event_id=ours.pk, now=timezone.now()) for _ in range(12)]

    assert ends[0] == EventState.RECEIVED
    assert ends[-1] == EventState.PROCESSED


@pytest.mark.parametrize("kind", ["account.updated", "payout.paid"])
def test_an_event_of_an_account_that_is_not_ours_is_quarantined(world: World, post: Post, kind: str) -> None:
    event = make_event(kind, account="acct_1Stranger")
    event["data"]["object"]["id"] = "po_1" if kind == "payout.paid" else "acct_1Stranger"

    assert post(event, secret=CONNECT_SECRET).status_code == 200
    world.process()

    assert states() == {EventState.QUARANTINED: 1}


def test_a_payout_under_the_wrong_account_is_quarantined(world: World, post: Post) -> None:
    account = world.onboard()
    event = make_event("payout.paid", account=str(account.provider_account_id))
    event["data"]["object"]["id"] = "po_1OfSomebodyElse"

    post(event, secret=CONNECT_SECRET)
    world.process()

    assert IncomingEvent.objects.get(event_id=event["id"]).state == EventState.QUARANTINED


def test_an_account_that_left_is_closed(world: World, post: Post) -> None:
    account = world.onboard()
    ConnectedAccount.objects.filter(pk=account.pk).update(provider_account_id="acct_1Left")
    event = make_event("account.application.deauthorized", account="acct_1Left")

    post(event, secret=CONNECT_SECRET)
    world.process()

    account.refresh_from_db()
    assert account.closed
    assert not account.can_receive


def test_new_funds_of_an_account_are_looked_at(world: World, post: Post) -> None:
    account = world.onboard()
    post(make_event("balance.available", account=str(account.provider_account_id)), secret=CONNECT_SECRET)

    world.process()

    assert set(states()) <= {EventState.PROCESSED, EventState.IGNORED}


def test_a_finished_event_is_not_done_again(world: World, rig: StripeRig) -> None:
    world.funded()
    rig.fail("rate_limit", "GET")

    for event in IncomingEvent.objects.all():
        assert incoming.process(event_id=event.pk, now=timezone.now()) == event.state


def test_a_job_without_its_event_does_no_harm() -> None:
    assert incoming.process(event_id=999_999_999, now=timezone.now()) == EventState.FAILED


def test_what_no_rule_foresees_is_tried_again_and_then_left(world: World, post: Post) -> None:
    post(make_event())
    IncomingEvent.objects.update(provider="gone")
    event = IncomingEvent.objects.get()

    assert incoming.process(event_id=event.pk, now=event.received_at) == EventState.RECEIVED
    IncomingEvent.objects.update(attempts=incoming.FEWEST_ATTEMPTS - 1)
    assert incoming.process(event_id=event.pk, now=event.received_at + timedelta(hours=2)) == EventState.FAILED

    event.refresh_from_db()
    assert "gone" in event.last_error


def test_a_lost_job_is_queued_again(world: World, post: Post) -> None:
    post(make_event())
    event = IncomingEvent.objects.get()
    ProcrastinateJob.objects.all()._raw_delete("default")
    late = event.received_at + incoming.OVERDUE

    assert incoming.sweep(now=late - timedelta(seconds=1)) == 0
    assert incoming.sweep(now=late) == 1
    assert incoming.sweep(now=late) == 0

    assert ProcrastinateJob.objects.get().args == {"event_id": event.pk}


def test_an_event_whose_job_waits_in_a_long_queue_is_left_alone(world: World, post: Post) -> None:
    post(make_event())
    event = IncomingEvent.objects.get()

    assert incoming.sweep(now=event.received_at + timedelta(hours=1)) == 0
    assert ProcrastinateJob.objects.count() == 1


def test_a_job_that_fell_with_the_database_is_queued_again(world: World, post: Post) -> None:
    post(make_event())
    event = IncomingEvent.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'failed'")

    assert incoming.sweep(now=event.received_at + incoming.OVERDUE) == 1


@pytest.mark.django_db(transaction=True)
def test_twelve_jobs_of_one_event_at_once_fund_once(world: World) -> None:
    payment = world.payment()
    world.pay(payment)
    world.deliver(event for event in world.news() if event["type"] == "payment_intent.succeeded")
    event = IncomingEvent.objects.get()

    answers = together([lambda: incoming.process(event_id=event.pk, now=timezone.now())] * 12)

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    world.process()
    assert escrow_of(payment).state == EscrowState.FUNDED.value
