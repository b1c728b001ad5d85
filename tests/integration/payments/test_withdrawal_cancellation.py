"""Cancellation of a withdrawal by its owner: before it is sent, at the provider, too late, and under races."""

from typing import Any

import pytest

from multitask.payments.errors import NotFound, WithdrawalLeft, WrongState
from multitask.payments.models import AuditEvent, HistoryRow, Notice, Operation, Withdrawal
from multitask.payments.notices import notices
from multitask.payments.operations import engine, sweeper
from multitask.payments.payouts import withdrawal_cancellation, withdrawal_outcomes
from multitask.users.actor import Actor
from tests.integration.races import together
from tests.payments_world import World, dollars, held, user_id

ALL = dollars("85.00")


def purse(actor: Actor) -> tuple[int, int]:
    """What is available, and what is on its way."""
    return held(f"user:{actor.user_id}:available"), held(f"user:{actor.user_id}:withdrawing")


def cancel(world: World, withdrawal: Withdrawal, actor: Actor | None = None) -> Withdrawal:
    owner = actor or Actor.of(withdrawal.user)
    found = withdrawal_cancellation.cancel(actor=owner, withdrawal_id=withdrawal.pk, now=world.now)
    withdrawal.refresh_from_db()
    return found


def call_of(withdrawal: Withdrawal, kind: str = "cancel_payout") -> Operation:
    return Operation.objects.get(kind=kind, subject_id=withdrawal.pk)


def audited(withdrawal: Withdrawal) -> list[str]:
    return list(AuditEvent.objects.filter(withdrawal=withdrawal).order_by("pk").values_list("event", flat=True))


def payout(world: World, withdrawal: Withdrawal) -> Any:
    """The payout at the provider, or None."""
    made = world.made("payout", f"create_payout:{withdrawal.pk}:1")
    assert len(made) <= 1
    return made[0] if made else None


def require_kept(world: World, withdrawal: Withdrawal) -> None:
    """The money is at the bank or in the wallet, never both: by the books and by the provider."""
    freelancer = Actor.of(withdrawal.user)
    withdrawal.refresh_from_db()
    at_bank = world.bank_deposits(freelancer).get("usd", 0)
    if withdrawal.state == "completed":
        assert (purse(freelancer), at_bank) == ((0, 0), 8_500)
    else:
        assert withdrawal.state == "cancelled"
        assert (purse(freelancer), at_bank) == ((8_500, 0), 0)
    assert held(f"provider:stripe:account:{withdrawal.account_id}") == at_bank - 8_500


# -- one at a time


def test_a_withdrawal_that_was_not_sent_is_undone_at_once(world: World) -> None:
    withdrawal = world.withdraw(world.settled().freelancer, ALL)
    cancel(world, withdrawal)
    assert (withdrawal.state, withdrawal.cancelled_at) == ("cancelled", world.now)
    assert HistoryRow.objects.get(withdrawal=withdrawal).status == "cancelled"
    assert audited(withdrawal) == ["withdrawal_requested", "withdrawal_cancelled"]
    creation = call_of(withdrawal, "create_payout")
    assert (creation.state, creation.last_error_code) == ("failed", "called_off")
    world.work()
    assert payout(world, withdrawal) is None
    require_kept(world, withdrawal)


def test_a_pending_payout_is_cancelled_at_the_provider(world: World) -> None:
    withdrawal = world.withdrawn(world.settled().freelancer, ALL)
    cancel(world, withdrawal)
    assert withdrawal.state == "cancelled"
    assert payout(world, withdrawal)["status"] == "canceled"
    assert call_of(withdrawal).state == "succeeded"
    world.hear()
    assert audited(withdrawal) == ["withdrawal_requested", "withdrawal_cancel_asked", "withdrawal_cancelled"]
    require_kept(world, withdrawal)


def test_what_was_cancelled_can_be_withdrawn_again(world: World) -> None:
    freelancer = world.settled().freelancer
    cancel(world, world.withdrawn(freelancer, ALL))
    again = world.arrive(world.withdrawn(freelancer, ALL))
    assert again.state == "completed"
    assert world.bank_deposits(freelancer) == {"usd": 8_500}


def test_a_second_cancellation_has_the_same_result(world: World) -> None:
    unsent, sent = (world.withdraw(world.settled().freelancer, ALL) for _ in range(2))
    cancel(world, unsent)
    world.work()
    for withdrawal in (unsent, sent):
        for _ in range(2):
            assert cancel(world, withdrawal).state == "cancelled"
        assert audited(withdrawal).count("withdrawal_cancelled") == 1
        require_kept(world, withdrawal)


def test_a_payout_in_transit_is_refused_without_a_call(world: World) -> None:
    withdrawal = world.withdrawn(world.settled().freelancer, ALL)
    Withdrawal.objects.filter(pk=withdrawal.pk).update(provider_status="in_transit")
    with pytest.raises(WithdrawalLeft):
        cancel(world, withdrawal)
    assert not Operation.objects.filter(kind="cancel_payout").exists()
    world.arrive(withdrawal)
    require_kept(world, withdrawal)


def test_a_payout_that_left_unnoticed_is_refused_by_the_provider(world: World) -> None:
    withdrawal = world.withdrawn(world.settled().freelancer, ALL)
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
    for _ in range(2):
        with pytest.raises(WithdrawalLeft):
            cancel(world, withdrawal)
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.cancellation_refused_at) == ("processing", world.now)
    assert audited(withdrawal)[-1] == "withdrawal_cancel_refused"
    world.hear()
    require_kept(world, withdrawal)
    with pytest.raises(WithdrawalLeft):
        cancel(world, withdrawal)


def test_a_failed_withdrawal_is_not_cancelled(world: World) -> None:
    freelancer = world.freelancer(bank="000111111113")
    world.settled(freelancer=freelancer)
    withdrawal = world.arrive(world.withdrawn(freelancer, ALL))
    with pytest.raises(WrongState):
        cancel(world, withdrawal)
    assert purse(freelancer) == (8_500, 0)


def test_only_its_owner_cancels_a_withdrawal(world: World) -> None:
    withdrawal = world.withdraw(world.settled().freelancer, ALL)
    for actor in (world.client(), world.freelancer(), world.staff(), Actor.visitor()):
        with pytest.raises(NotFound):
            cancel(world, withdrawal, actor)
    assert withdrawal.state == "pending"


def test_the_owner_is_told_how_it_ended(world: World) -> None:
    cancelled = world.withdrawn(world.settled().freelancer, ALL)
    left = world.withdrawn(world.settled().freelancer, ALL)
    cancel(world, cancelled)
    world.sandbox.control("POST", f"payouts/{left.provider_payout_id}/settle")
    with pytest.raises(WithdrawalLeft):
        cancel(world, left)
    notices.collect(now=world.now)
    for withdrawal, kind in ((cancelled, "withdrawal_cancelled"), (left, "withdrawal_cancel_refused")):
        assert Notice.objects.get(withdrawal=withdrawal).kind == kind


# -- lost answers and crashes


def test_a_payout_of_unknown_outcome_is_not_taken_for_unsent(world: World) -> None:
    withdrawal = world.withdraw(world.settled().freelancer, ALL)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payouts", count=1)
    world.work()
    # As if a later attempt had been put off: pending again, but the first one may have had its effect.
    Operation.objects.filter(kind="create_payout").update(state="pending", is_uncertain=True)
    assert cancel(world, withdrawal).state == "pending"
    assert (call_of(withdrawal).state, call_of(withdrawal).last_error_code) == ("pending", "awaits_creation")
    assert purse(Actor.of(withdrawal.user)) == (0, 8_500)
    world.wait(minutes=1)
    world.work()
    world.wait(minutes=1)
    world.work()
    assert payout(world, withdrawal)["status"] == "canceled"
    require_kept(world, withdrawal)


def test_a_payout_that_is_being_sent_is_cancelled_once_it_is_there(world: World) -> None:
    withdrawal = world.withdraw(world.settled().freelancer, ALL)
    # A worker has claimed it and was stopped.
    Operation.objects.filter(kind="create_payout").update(state="sent", sent_at=world.now, attempts=1)
    assert cancel(world, withdrawal).state == "pending"
    assert cancel(world, withdrawal).state == "pending"
    world.lose_jobs()
    for _ in range(3):
        world.wait(minutes=2)
        sweeper.sweep(now=world.now)
        world.work()
    assert payout(world, withdrawal)["status"] == "canceled"
    require_kept(world, withdrawal)


def test_a_payout_that_is_put_off_meanwhile_is_not_sent_any_more(world: World) -> None:
    withdrawal = world.withdraw(world.settled().freelancer, ALL)
    Operation.objects.filter(kind="create_payout").update(state="sent", sent_at=world.now, attempts=1)
    cancel(world, withdrawal)
    Operation.objects.filter(kind="create_payout").update(state="pending", sent_at=None)
    world.wait(minutes=1)
    engine.perform(call_of(withdrawal).pk, now=world.now)
    withdrawal.refresh_from_db()
    assert (withdrawal.state, call_of(withdrawal).last_error_code) == ("cancelled", "nothing_to_cancel")
    world.work()
    assert payout(world, withdrawal) is None
    require_kept(world, withdrawal)


def test_a_crash_after_the_payout_was_called_off_is_made_good(world: World) -> None:
    withdrawal = world.withdraw(world.settled().freelancer, ALL)
    Operation.objects.filter(kind="create_payout").update(state="sent", sent_at=world.now, attempts=1)
    cancel(world, withdrawal)
    # The cancellation took the payout back, and its process ended before it said so.
    Operation.objects.filter(kind="create_payout").update(state="failed", last_error_code="called_off")
    world.wait(minutes=1)
    assert sweeper.sweep(now=world.now) <= 1
    world.work()
    require_kept(world, withdrawal)


@pytest.mark.parametrize("fault", ["drop_request", "drop_response"])
def test_a_lost_answer_is_asked_for_again(world: World, fault: str) -> None:
    withdrawal = world.withdrawn(world.settled().freelancer, ALL)
    world.sandbox.add_fault(fault, method="POST", path="*/cancel", count=1)
    assert cancel(world, withdrawal).state == "processing"
    assert call_of(withdrawal).state == "unknown"
    world.wait(minutes=1)
    assert cancel(world, withdrawal).state == "cancelled"
    require_kept(world, withdrawal)


def test_a_crash_right_after_the_request_is_made_good_by_the_sweeper(world: World) -> None:
    withdrawal = world.withdrawn(world.settled().freelancer, ALL)
    withdrawal_cancellation._prepare(Actor.of(withdrawal.user), withdrawal.pk, world.now)
    assert call_of(withdrawal).state == "sent"
    world.wait(minutes=1)
    assert sweeper.sweep(now=world.now) == 1
    world.work()
    require_kept(world, withdrawal)


def test_a_cancellation_whose_answer_was_lost_while_the_money_left_reads_what_happened(world: World) -> None:
    withdrawal = world.withdrawn(world.settled().freelancer, ALL)
    world.sandbox.add_fault("drop_request", method="POST", path="*/cancel", count=1)
    cancel(world, withdrawal)
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
    world.wait(minutes=1)
    world.work()
    assert call_of(withdrawal).state == "succeeded"
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"
    require_kept(world, withdrawal)


def test_a_refused_payout_needs_no_cancelling(world: World) -> None:
    freelancer = world.settled().freelancer
    account = str(world.account(freelancer).provider_account_id)
    world.at_provider("payouts", account=account, amount="8500", currency="usd")
    withdrawal = world.withdraw(freelancer, ALL)
    Operation.objects.filter(kind="create_payout").update(state="sent", sent_at=world.now, attempts=1)
    cancel(world, withdrawal)
    for _ in range(3):
        world.wait(minutes=2)
        sweeper.sweep(now=world.now)
        world.work()
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.failure_code) == ("failed", "balance_insufficient")
    assert purse(freelancer) == (8_500, 0)


def test_news_of_a_cancelled_payout_changes_nothing_any_more(world: World) -> None:
    withdrawal = world.withdrawn(world.settled().freelancer, ALL)
    before = world.provider.read_payout(
        account_id=str(withdrawal.account.provider_account_id), payout_id=str(withdrawal.provider_payout_id)
    )
    cancel(world, withdrawal)
    withdrawal_outcomes.confirm("stripe", before, world.now)
    world.learn_of_payout(withdrawal)
    assert audited(withdrawal).count("withdrawal_cancelled") == 1
    require_kept(world, withdrawal)


# -- at the same moment

races = pytest.mark.django_db(transaction=True)


def settle_down(world: World) -> None:
    """Do everything that is left to do, as the worker and the sweeper would within minutes."""
    for _ in range(4):
        world.wait(minutes=2)
        sweeper.sweep(now=world.now)
        world.work()
    world.hear()


@races
@pytest.mark.parametrize("attempt", range(3))
def test_a_cancellation_against_the_worker_that_sends_it(world: World, attempt: int) -> None:
    withdrawal = world.withdraw(world.settled().freelancer, ALL)
    creation = call_of(withdrawal, "create_payout")
    together([lambda: cancel(world, withdrawal), lambda: engine.perform(creation.pk, now=world.now)])
    settle_down(world)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "cancelled"
    made = payout(world, withdrawal)
    assert made is None or made["status"] == "canceled"
    require_kept(world, withdrawal)


@races
def test_a_cancellation_against_the_news_that_it_was_paid(world: World) -> None:
    withdrawal = world.withdrawn(world.settled().freelancer, ALL)
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
    copy = Withdrawal.objects.get(pk=withdrawal.pk)
    answers = together([lambda: cancel(world, withdrawal), lambda: world.learn_of_payout(copy)])
    assert isinstance(answers[0], WithdrawalLeft)
    settle_down(world)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"
    require_kept(world, withdrawal)


@races
def test_a_cancellation_against_the_payment_at_the_provider(world: World) -> None:
    for _ in range(3):
        withdrawal = world.withdrawn(world.settled().freelancer, ALL)
        settle = f"payouts/{withdrawal.provider_payout_id}/settle"
        together([lambda: cancel(world, withdrawal), lambda: world.sandbox.control("POST", settle)])  # noqa: B023
        settle_down(world)
        require_kept(world, withdrawal)


@races
@pytest.mark.parametrize("sent", [False, True])
def test_many_cancellations_at_once_are_one(world: World, sent: bool) -> None:
    withdrawal = world.withdraw(world.settled().freelancer, ALL)
    if sent:
        world.work()
    answers = together([lambda: withdrawal_cancellation.cancel(
        actor=Actor.of(withdrawal.user), withdrawal_id=withdrawal.pk, now=world.now
    )] * 12)  # fmt: skip
    assert {answer.state for answer in answers} == {"cancelled"}
    assert audited(withdrawal).count("withdrawal_cancelled") == 1
    require_kept(world, withdrawal)


@races
def test_a_cancellation_against_a_new_withdrawal_of_the_same_money(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdrawn(freelancer, ALL)
    together([lambda: cancel(world, withdrawal), lambda: world.withdraw(freelancer, ALL)])
    settle_down(world)
    open_ones = Withdrawal.objects.filter(user_id=user_id(freelancer)).exclude(state="cancelled")
    assert sum(found.amount_minor for found in open_ones) + purse(freelancer)[0] == 8_500


def test_a_payout_that_was_made_outside_is_cancelled_like_any_other(world: World) -> None:
    freelancer = world.settled().freelancer
    account = str(world.account(freelancer).provider_account_id)
    for _ in range(2):
        world.at_provider("payouts", account=account, amount="4000", currency="usd")
    world.hear()
    first, second = Withdrawal.objects.filter(user_id=user_id(freelancer)).order_by("pk")
    assert purse(freelancer) == (500, 8_000)
    assert cancel(world, first).state == "cancelled"
    world.at_provider(f"payouts/{second.provider_payout_id}/cancel", account=account)
    world.hear()
    second.refresh_from_db()
    assert (second.state, purse(freelancer)) == ("cancelled", (8_500, 0))
