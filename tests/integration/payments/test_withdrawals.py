"""Withdrawals: from the available balance to the freelancer's bank."""

from datetime import timedelta

import pytest

from multitask.money import Money
from multitask.payments.errors import (
    AmountTooSmall,
    Forbidden,
    InsufficientFunds,
    KeyReused,
    NoBankInCurrency,
    OnboardingIncomplete,
    UnknownObject,
)
from multitask.payments.escrow import disputes
from multitask.payments.models import AuditEvent, ConnectedAccount, HistoryRow, Operation, Withdrawal
from multitask.payments.operations import engine
from multitask.payments.payouts import withdrawal_outcomes
from multitask.payments.provider import PayoutState, PayoutStatus
from multitask.providers.stripe import failure_messages
from multitask.users.actor import Actor
from multitask.web.backoffice import work_queue
from tests.payments_world import World, dollars, held, user_id


def purse(actor: Actor) -> tuple[int, int]:
    """What is available, and what is on its way."""
    return held(f"user:{actor.user_id}:available"), held(f"user:{actor.user_id}:withdrawing")


def row_of(withdrawal: Withdrawal) -> HistoryRow:
    return HistoryRow.objects.get(withdrawal=withdrawal)


def audited(withdrawal: Withdrawal) -> list[str]:
    events = AuditEvent.objects.filter(withdrawal=withdrawal).order_by("pk")
    return list(events.values_list("event", flat=True))


def test_a_withdrawal_is_set_aside_and_sent(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdraw(freelancer, dollars("50.00"))
    assert withdrawal.state == "pending"
    assert purse(freelancer) == (3_500, 5_000)
    world.work()
    withdrawal.refresh_from_db()
    assert withdrawal.state == "processing"
    assert withdrawal.arrival_at
    (made,) = world.made("payout", f"create_payout:{withdrawal.pk}:1")
    assert (made["id"], made["amount"], made["method"]) == (withdrawal.provider_payout_id, 5_000, "standard")


def test_a_withdrawal_that_arrives_is_completed(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdrawn(freelancer, dollars("50.00"))
    world.arrive(withdrawal)
    assert withdrawal.state == "completed"
    assert withdrawal.processed_at == world.now
    assert purse(freelancer) == (3_500, 0)
    assert world.bank_deposits(freelancer) == {"usd": 5_000}
    assert row_of(withdrawal).status == "completed"
    assert audited(withdrawal) == ["withdrawal_requested", "withdrawal_completed"]


def test_the_webhook_of_a_paid_payout_completes_it(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdrawn(freelancer, dollars("50.00"))
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
    assert "payout.paid" in world.hear()
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"


def test_more_than_is_available_is_refused(world: World) -> None:
    freelancer = world.settled().freelancer
    with pytest.raises(InsufficientFunds):
        world.withdraw(freelancer, dollars("85.01"))
    assert purse(freelancer) == (8_500, 0)
    assert not Withdrawal.objects.exists()
    assert not HistoryRow.objects.filter(type="withdrawal").exists()


def test_what_is_pending_is_not_available(world: World) -> None:
    freelancer = world.released().freelancer
    with pytest.raises(InsufficientFunds):
        world.withdraw(freelancer, dollars("1.00"))


def test_one_who_never_earned_has_nothing_to_withdraw(world: World) -> None:
    with pytest.raises(InsufficientFunds):
        world.withdraw(world.freelancer(), dollars("1.00"))


def test_another_currency_has_a_purse_of_its_own(world: World) -> None:
    freelancer = world.settled().freelancer
    world.add_bank(freelancer, "EUR")
    with pytest.raises(InsufficientFunds):
        world.withdraw(freelancer, Money(1_000, "EUR"))
    assert purse(freelancer) == (8_500, 0)


def test_only_freelancers_withdraw(world: World) -> None:
    for actor in (world.client(), world.staff(), Actor.visitor()):
        with pytest.raises(Forbidden):
            world.withdraw(actor, dollars("1.00"))


def test_nobody_withdraws_before_onboarding(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    with pytest.raises(OnboardingIncomplete):
        world.withdraw(freelancer, dollars("1.00"))
    world.create_account(freelancer)
    with pytest.raises(OnboardingIncomplete):
        world.withdraw(freelancer, dollars("1.00"))


def test_an_account_without_payouts_cannot_withdraw(world: World) -> None:
    freelancer = world.settled().freelancer
    ConnectedAccount.objects.filter(user_id=user_id(freelancer)).update(payouts_enabled=False)
    with pytest.raises(OnboardingIncomplete):
        world.withdraw(freelancer, dollars("1.00"))


def test_a_dispute_about_other_work_holds_nothing_that_is_available(world: World) -> None:
    freelancer = world.settled().freelancer
    disputed = world.delivered(freelancer=freelancer)
    disputes.open_dispute(actor=disputed.client, escrow_id=disputed.escrow.pk, reason="Late", now=world.now)
    assert world.withdraw(freelancer, dollars("85.00")).state == "pending"


def test_the_same_request_again_answers_the_same_withdrawal(world: World) -> None:
    freelancer = world.settled().freelancer
    first = world.withdraw(freelancer, dollars("50.00"), request_key="one")
    again = world.withdraw(freelancer, dollars("50.00"), request_key="one")
    assert again.pk == first.pk
    assert purse(freelancer) == (3_500, 5_000)
    with pytest.raises(KeyReused):
        world.withdraw(freelancer, dollars("10.00"), request_key="one")
    with pytest.raises(KeyReused):
        world.withdraw(freelancer, Money(5_000, "EUR"), request_key="one")
    assert world.withdraw(freelancer, dollars("10.00"), request_key="two").pk != first.pk


@pytest.mark.parametrize(
    ("bank", "code", "reason"),
    [
        ("000111111116", "no_account", "The bank account could not be found."),
        ("000111111113", "account_closed", "The bank account has been closed."),
        ("000222222227", "insufficient_funds", "The balance at the payment provider was too low."),
        ("000333333335", "debit_not_authorized", "The bank account does not allow this transaction."),
        ("000444444440", "invalid_currency", "The bank account does not accept this currency."),
    ],
)
def test_what_the_bank_refuses_becomes_available_again(world: World, bank: str, code: str, reason: str) -> None:
    freelancer = world.freelancer(bank=bank)
    world.settled(freelancer=freelancer)
    withdrawal = world.withdrawn(freelancer, dollars("85.00"))
    world.arrive(withdrawal)
    assert (withdrawal.state, withdrawal.failure_code, withdrawal.failure_reason) == ("failed", code, reason)
    assert withdrawal.failed_at == world.now
    assert purse(freelancer) == (8_500, 0)
    assert world.bank_deposits(freelancer) == {}
    row = row_of(withdrawal)
    assert (row.status, row.failure_reason) == ("failed", reason)
    assert audited(withdrawal) == ["withdrawal_requested", "withdrawal_failed"]


@pytest.mark.parametrize(
    ("code", "words", "sentence"),
    [
        ("account_frozen", "", "The bank account is frozen."),
        ("new_code", "The bank said: new code.", "The bank said: new code."),
        ("", "", "The bank did not accept the payment."),
    ],
)
def test_every_failure_has_a_sentence(code: str, words: str, sentence: str) -> None:
    assert failure_messages.payout(code, words).sentence == sentence


def test_a_paid_withdrawal_may_still_be_sent_back(world: World) -> None:
    freelancer = world.freelancer(bank="000555555559")
    world.settled(freelancer=freelancer)
    withdrawal = world.withdrawn(freelancer, dollars("85.00"))
    world.arrive(withdrawal)
    assert withdrawal.state == "completed"
    assert purse(freelancer) == (0, 0)

    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/fail", {"code": "account_closed"})
    world.learn_of_payout(withdrawal)
    assert (withdrawal.state, withdrawal.failure_reason) == ("failed", "The bank account has been closed.")
    assert purse(freelancer) == (8_500, 0)
    account = world.account(freelancer)
    assert held(f"provider:stripe:account:{account.pk}") == -8_500
    assert audited(withdrawal) == ["withdrawal_requested", "withdrawal_completed", "withdrawal_failed"]
    assert row_of(withdrawal).status == "failed"
    second = world.withdrawn(freelancer, dollars("85.00"))
    assert second.state == "processing"


def test_news_of_a_finished_payout_changes_nothing_any_more(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdrawn(freelancer, dollars("85.00"))
    world.arrive(withdrawal)
    world.learn_of_payout(withdrawal)
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/fail", {"code": "declined"})
    for _ in range(2):
        world.learn_of_payout(withdrawal)
    assert withdrawal.state == "failed"
    assert purse(freelancer) == (8_500, 0)


def test_a_webhook_that_overtakes_the_answer_is_believed(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdraw(freelancer, dollars("85.00"))
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payouts", count=1)
    world.work()
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.provider_payout_id) == ("pending", None)
    (made,) = world.made("payout", f"create_payout:{withdrawal.pk}:1")
    world.sandbox.control("POST", f"payouts/{made['id']}/settle")
    world.hear()
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.provider_payout_id) == ("completed", made["id"])
    world.wait(minutes=1)
    world.work()
    assert Operation.objects.get(kind="create_payout").state == "succeeded"
    assert len(world.made("payout", f"create_payout:{withdrawal.pk}:1")) == 1
    assert purse(freelancer) == (0, 0)


@pytest.mark.parametrize("later", [timedelta(minutes=1), timedelta(days=2)])
def test_a_payout_that_can_neither_be_made_nor_looked_for_is_not_taken_for_refused(
    world: World, later: timedelta
) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdraw(freelancer, dollars("85.00"))
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/payouts", count=1)
    world.work()
    wanted = Operation.objects.get(kind="create_payout").arguments
    # Whatever is asked about an account out of reach is refused; the payout inside it exists all the same.
    Operation.objects.filter(kind="create_payout").update(arguments={**wanted, "account_id": "acct_1OutOfReach"})
    for _ in range(2):
        world.wait(later)
        world.work()
    operation = Operation.objects.get(kind="create_payout")
    assert (operation.state, operation.last_error_code) == ("unknown", "account_invalid")
    assert work_queue.stuck(world.now).get() == operation
    assert purse(freelancer) == (0, 8_500)

    Operation.objects.filter(kind="create_payout").update(arguments=wanted)
    world.wait(minutes=1)
    world.work()
    withdrawal.refresh_from_db()
    (made,) = world.made("payout", f"create_payout:{withdrawal.pk}:1")
    assert withdrawal.provider_payout_id == made["id"]


def test_a_payout_that_is_cancelled_at_the_provider_gives_the_money_back_as_cancelled(world: World) -> None:
    freelancer = world.settled().freelancer
    withdrawal = world.withdrawn(freelancer, dollars("85.00"))
    account = str(world.account(freelancer).provider_account_id)
    world.at_provider(f"payouts/{withdrawal.provider_payout_id}/cancel", account=account)
    world.hear()
    withdrawal.refresh_from_db()
    assert withdrawal.state == "cancelled"
    assert not withdrawal.failure_reason
    assert row_of(withdrawal).status == "cancelled"
    assert audited(withdrawal) == ["withdrawal_requested", "withdrawal_cancelled"]
    assert purse(freelancer) == (8_500, 0)


def test_a_payout_that_the_provider_refuses_gives_the_money_back_once(world: World) -> None:
    freelancer = world.settled().freelancer
    account = str(world.account(freelancer).provider_account_id)
    world.at_provider("payouts", account=account, amount="8500", currency="usd")
    withdrawal = world.withdrawn(freelancer, dollars("85.00"))
    assert (withdrawal.state, withdrawal.failure_code) == ("failed", "balance_insufficient")
    assert withdrawal.failure_reason == "The balance at the payment provider was too low."
    assert purse(freelancer) == (8_500, 0)
    operation = Operation.objects.get(kind="create_payout")
    assert operation.state == "failed"
    engine.perform(operation.pk, now=world.now)
    assert purse(freelancer) == (8_500, 0)


@pytest.mark.parametrize("amount", ["0.01", "0.99"])
def test_an_amount_below_the_providers_least_is_refused_at_once(world: World, amount: str) -> None:
    freelancer = world.settled().freelancer
    with pytest.raises(AmountTooSmall, match=r"The least that can be paid out is 1.00 USD"):
        world.withdraw(freelancer, dollars(amount))
    assert not Withdrawal.objects.exists()
    assert purse(freelancer) == (8_500, 0)


def test_nothing_is_withdrawn_without_a_bank_in_its_currency(world: World) -> None:
    freelancer = world.settled().freelancer
    with pytest.raises(NoBankInCurrency, match="Add a bank account in EUR"):
        world.withdraw(freelancer, Money(1_000, "EUR"))


@pytest.mark.parametrize("reference", ["", "create_payout:1:1", "create_refund:1:1"])
def test_a_payout_that_nobody_here_made_is_unknown(world: World, reference: str) -> None:
    state = PayoutState(
        id="po_x", status=PayoutStatus.PAID, amount=dollars("1"), account_id="acct_x", reference=reference
    )
    with pytest.raises(UnknownObject):
        withdrawal_outcomes.confirm("stripe", state, world.now)


def test_a_payout_inside_another_account_is_not_this_withdrawal(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdraw(job.freelancer, dollars("85.00"))
    (operation,) = Operation.objects.filter(kind="create_payout", subject_id=withdrawal.pk)
    state = PayoutState(
        id="po_x", status=PayoutStatus.PAID, amount=dollars("85"), account_id="acct_x", reference=operation.reference
    )
    with pytest.raises(UnknownObject):
        withdrawal_outcomes.confirm("stripe", state, world.now)
    assert purse(job.freelancer) == (0, 8_500)
    world.work()
    withdrawal.refresh_from_db()
    assert world.arrive(withdrawal).state == "completed"


def test_a_freelancer_withdraws_what_several_jobs_earned(world: World) -> None:
    freelancer = world.freelancer()
    for _ in range(3):
        world.settled(freelancer=freelancer)
    assert purse(freelancer) == (25_500, 0)
    world.arrive(world.withdrawn(freelancer, dollars("255.00")))
    assert world.bank_deposits(freelancer) == {"usd": 25_500}
    assert user_id(freelancer)
