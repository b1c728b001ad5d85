"""Intent, call, outcome: each call at the provider has its effect once, whatever goes wrong on the way."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from multitask.payments.errors import ProviderRefused, ProviderUnavailable
from multitask.payments.models import Operation
from multitask.payments.operations import engine, held_calls, queue, references, send_deadline
from multitask.payments.payouts import availability
from tests.integration.races import together
from tests.payments_world import Job, World, dollars, held, user_id

LOST = {"kind": "drop_request", "method": "POST", "path": "/v1/transfers"}
UNHEARD = {"kind": "drop_response", "method": "POST", "path": "/v1/transfers"}
BROKEN_BEFORE = {"kind": "error_before", "method": "POST", "path": "/v1/transfers"}
BROKEN_AFTER = {"kind": "error_after", "method": "POST", "path": "/v1/transfers"}
BUSY = {"kind": "rate_limit", "method": "POST", "path": "/v1/transfers"}


def ready(world: World) -> Job:
    """A released job whose transfer nobody has performed yet."""
    job = world.completed()
    world.release(job)
    return job


def perform(world: World, job: Job) -> Operation:
    return engine.perform(job.transfer.pk, now=world.now)


def effects(world: World, job: Job) -> int:
    return len(world.made("transfer", f"create_transfer:{job.escrow.pk}:1"))


def fail_next(world: World, fault: dict[str, Any], count: int = 1) -> None:
    world.sandbox.add_fault(**fault, count=count)


def test_an_intent_is_written_with_its_posting_and_performed_by_a_job(world: World) -> None:
    job = ready(world)
    assert (job.transfer.state, job.transfer.attempts, effects(world, job)) == ("pending", 0, 0)
    assert world.work() == ["perform_operation"]
    done = job.transfer
    assert (done.state, done.attempts, done.finished_at) == ("succeeded", 1, world.now)
    assert done.next_attempt_at is None
    assert str(done) == f"create_transfer:{job.escrow.pk}:1:1"


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        (LOST, "unknown", "connection_failed"),
        (UNHEARD, "unknown", "connection_failed"),
        (BROKEN_BEFORE, "unknown", "provider_error"),
        (BROKEN_AFTER, "unknown", "provider_error"),
        (BUSY, "pending", "rate_limited"),
    ],
)
def test_whatever_goes_wrong_there_is_one_effect_in_the_end(
    world: World, fault: dict[str, Any], state: str, code: str
) -> None:
    job = ready(world)
    fail_next(world, fault)
    postponed = perform(world, job)
    assert (postponed.state, postponed.last_error_code) == (state, code)
    assert held(f"user:{user_id(job.freelancer)}:pending") == 8_500
    for _ in range(4):
        world.wait(minutes=1)
        world.work()
    assert job.transfer.state == "succeeded"
    assert effects(world, job) == 1
    assert held(f"provider:stripe:account:{world.account(job.freelancer).pk}") == -8_500


def test_every_try_waits_twice_as_long_as_the_one_before(world: World) -> None:
    job = ready(world)
    fail_next(world, LOST, count=14)
    pauses = []
    for _ in range(14):
        postponed = perform(world, job)
        assert postponed.next_attempt_at is not None
        pauses.append((postponed.next_attempt_at - world.now).total_seconds())
        world.now = postponed.next_attempt_at
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900]
    assert perform(world, job).state == "succeeded"


def test_a_job_for_the_next_try_is_deferred_to_its_time(world: World) -> None:
    job = ready(world)
    fail_next(world, LOST)
    world.work()
    world.wait(seconds=1.9)
    assert world.work() == []
    world.wait(seconds=0.2)
    assert world.work() == ["perform_operation"]
    assert job.transfer.state == "succeeded"


def test_a_provider_that_asks_for_patience_gets_it(world: World) -> None:
    job = ready(world)
    fail_next(world, BUSY)
    postponed = perform(world, job)
    assert postponed.next_attempt_at is not None
    assert postponed.next_attempt_at - world.now >= timedelta(seconds=1)
    assert postponed.generation == 1


def test_a_replayed_error_is_looked_into_before_a_new_key_is_used(world: World) -> None:
    job = ready(world)
    fail_next(world, BROKEN_AFTER)
    perform(world, job)
    assert effects(world, job) == 1
    world.wait(minutes=1)
    done = perform(world, job)
    assert (done.state, done.generation) == ("succeeded", 1)
    assert effects(world, job) == 1


def test_a_replayed_error_without_an_effect_leads_to_a_new_key(world: World) -> None:
    job = ready(world)
    fail_next(world, BROKEN_BEFORE)
    perform(world, job)
    world.wait(minutes=1)
    again = perform(world, job)
    assert (again.state, again.generation, effects(world, job)) == ("unknown", 2, 0)
    world.wait(minutes=1)
    assert perform(world, job).state == "succeeded"
    assert effects(world, job) == 1


def test_a_key_the_provider_may_have_forgotten_is_not_sent_again_blindly(world: World) -> None:
    job = ready(world)
    fail_next(world, UNHEARD)
    perform(world, job)
    assert effects(world, job) == 1
    world.wait(days=2)
    fail_next(world, LOST)  # Were it sent again, it would be lost.
    done = perform(world, job)
    assert (done.state, done.generation) == ("succeeded", 1)
    assert effects(world, job) == 1


def test_a_key_the_provider_may_have_forgotten_is_sent_again_once_there_is_no_effect(world: World) -> None:
    job = ready(world)
    fail_next(world, LOST)
    perform(world, job)
    world.wait(days=2)
    done = perform(world, job)
    assert (done.state, done.generation) == ("succeeded", 1)
    assert effects(world, job) == 1


def test_an_attempt_that_certainly_had_no_effect_is_repeated_without_looking(world: World) -> None:
    job = ready(world)
    fail_next(world, BUSY)
    assert not perform(world, job).is_uncertain
    world.sandbox.add_fault("drop_request", method="GET", path="/v1/transfers", count=1)
    world.wait(minutes=1)
    assert perform(world, job).state == "succeeded"


def test_a_claim_made_by_a_clock_that_was_ahead_holds_nobody_up(world: World) -> None:
    job = ready(world)
    ahead = world.now + timedelta(hours=21)
    Operation.objects.filter(pk=job.transfer.pk).update(state="sent", sent_at=ahead, attempts=1)
    assert perform(world, job).state == "succeeded"
    assert effects(world, job) == 1


def test_a_search_that_fails_sends_nothing(world: World) -> None:
    job = ready(world)
    fail_next(world, UNHEARD)
    perform(world, job)
    world.wait(days=2)
    world.sandbox.add_fault("drop_request", method="GET", path="/v1/transfers", count=1)
    again = perform(world, job)
    assert (again.state, again.generation, effects(world, job)) == ("unknown", 1, 1)
    world.wait(minutes=1)
    assert perform(world, job).state == "succeeded"
    assert effects(world, job) == 1


def test_a_final_refusal_is_looked_into_when_an_earlier_try_was_unanswered(world: World) -> None:
    job = ready(world)
    fail_next(world, UNHEARD)
    perform(world, job)
    # Under another key the provider refuses, since the charge has nothing left: an echo of our own success.
    Operation.objects.filter(pk=job.transfer.pk).update(generation=7)
    world.wait(minutes=1)
    done = perform(world, job)
    assert (done.state, effects(world, job)) == ("succeeded", 1)


def test_a_final_refusal_without_an_effect_is_believed(world: World) -> None:
    job = ready(world)
    fail_next(world, LOST)
    perform(world, job)
    account = str(world.account(job.freelancer).provider_account_id)
    world.at_provider("transfers", amount="2000", currency="usd", destination=account, source_transaction=job.charge_id)
    world.wait(minutes=1)
    assert perform(world, job).state == "failed"


def test_what_is_finished_is_not_performed_again(world: World) -> None:
    job = ready(world)
    perform(world, job)
    finished = job.transfer
    world.wait(days=3)
    assert perform(world, job).attempts == finished.attempts == 1
    assert effects(world, job) == 1


def test_what_somebody_else_has_claimed_is_left_alone_until_the_claim_is_old(world: World) -> None:
    job = ready(world)
    Operation.objects.filter(pk=job.transfer.pk).update(state="sent", sent_at=world.now, attempts=1)
    world.wait(engine.CLAIM - timedelta(microseconds=1))
    assert perform(world, job).state == "sent"
    assert effects(world, job) == 0
    world.wait(microseconds=1)
    assert perform(world, job).state == "succeeded"


def test_a_request_that_needs_the_answer_hears_that_it_is_under_way(world: World) -> None:
    job = ready(world)
    Operation.objects.filter(pk=job.transfer.pk).update(state="sent", sent_at=world.now, attempts=1)
    with pytest.raises(ProviderUnavailable) as refusal:
        engine.answered(engine.Call(job.transfer), now=world.now, began=send_deadline.moment())
    assert refusal.value.detail == "in_flight"


def test_a_request_that_needs_the_answer_hears_of_a_refusal(world: World) -> None:
    job = ready(world)
    Operation.objects.filter(pk=job.transfer.pk).update(state="failed", last_error="No.", last_error_code="no")
    with pytest.raises(ProviderRefused, match=r"No\.") as refusal:
        engine.answered(engine.Call(job.transfer), now=world.now, began=send_deadline.moment())
    assert refusal.value.detail == "no"


# -- holding and waking


def test_waking_lets_only_ones_own_operations_go(world: World) -> None:
    mine = world.released(freelancer=world.freelancer(onboarded=False))
    other = world.released(freelancer=world.freelancer(onboarded=False))
    assert held_calls.retry_waiting(user_id(mine.freelancer), now=world.now) == 1
    assert (mine.transfer.hold, other.transfer.hold) == ("", "awaits_account")
    assert held_calls.retry_waiting(user_id(mine.freelancer), now=world.now) == 0


def test_what_is_woken_too_early_is_held_again(world: World) -> None:
    job = world.released(freelancer=world.freelancer(onboarded=False))
    held_calls.retry_waiting(user_id(job.freelancer), now=world.now)
    world.work()
    assert (job.transfer.hold, job.transfer.attempts) == ("awaits_account", 0)


@pytest.mark.django_db(transaction=True)
def test_an_account_enabled_while_its_transfer_is_looked_at_is_not_missed(world: World) -> None:
    from multitask import database
    from multitask.payments.payouts import onboarding

    freelancer = world.freelancer(onboarded=False)
    job = world.completed(freelancer=freelancer)
    world.release(job)
    world.create_account(freelancer)
    world.fill_in(freelancer)
    state = world.provider.read_account(str(world.account(freelancer).provider_account_id))
    world.lose_jobs()  # The performer below is the one job there is.
    performer = threading.Thread(target=lambda: together([lambda: perform(world, job)]))

    def enable() -> None:
        """Take the news over, and be slow to commit while the transfer's job looks whether it may go."""
        onboarding.confirm("stripe", state, world.now)
        performer.start()
        performer.join(0.5)

    database.run(enable)
    performer.join(30)
    world.work()
    assert (job.transfer.hold, job.transfer.state) == ("", "succeeded")


# -- two at once


@pytest.mark.django_db(transaction=True)
def test_two_performers_at_once_have_one_effect(world: World) -> None:
    job = ready(world)
    world.sandbox.add_fault("delay", method="POST", path="/v1/transfers", seconds=0.5, count=1)
    answers = together([lambda: perform(world, job)] * 8)
    assert sorted(answer.state for answer in answers) == ["sent"] * 7 + ["succeeded"]
    assert (job.transfer.attempts, effects(world, job)) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_slow_call_that_is_taken_over_has_one_effect(world: World) -> None:
    job = ready(world)
    world.sandbox.add_fault("delay", method="POST", path="/v1/transfers", seconds=0.5, count=1)
    later = world.now + engine.CLAIM
    answers = together(
        [lambda: perform(world, job), lambda: engine.perform(job.transfer.pk, now=later)],
    )
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    world.wait(minutes=2)
    world.work()
    assert (job.transfer.state, effects(world, job)) == ("succeeded", 1)
    assert job.history().count("transferred") == 1


def test_references_are_read_back_as_they_were_written(world: World) -> None:
    job = ready(world)
    reference = job.transfer.reference
    assert references.subject_of(reference, "create_transfer") == (job.escrow.pk, 1)
    for other in ("", "create_transfer", "create_refund:1:1", "create_transfer:x:1", "create_transfer:1:x", "a:1:1:1"):
        assert references.subject_of(other, "create_transfer") is None


def test_jobs_exist_only_if_their_change_does(world: World) -> None:
    from django.db import transaction

    job = world.released()
    world.work()
    with transaction.atomic():
        queue.defer(queue.MAKE_AVAILABLE, escrow_id=job.escrow.pk)
        transaction.set_rollback(True)
    world.wait(days=3)
    assert world.work() == ["make_available"]  # The one that the transfer deferred.
    assert not availability.make_available(escrow_id=job.escrow.pk, now=world.now)
    assert dollars("85.00").amount_minor == held(f"user:{user_id(job.freelancer)}:available")
