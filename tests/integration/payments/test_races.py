"""Everything that moves money, asked for many times at the same moment: exactly one effect each."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from multitask.payments.errors import (
    AccountExists,
    InsufficientFunds,
    PaymentError,
    ProviderUnavailable,
    RefundInProgress,
    WrongState,
)
from multitask.payments.escrow import auto_release, disputes, refund_outcomes, refunds
from multitask.payments.funding import payment_results
from multitask.payments.models import Customer, Dispute, Escrow, Operation, Payment, Refund, Withdrawal
from multitask.payments.payouts import availability, onboarding, transfer_retries, withdrawal_outcomes
from tests.integration.races import together
from tests.payments_world import Job, World, dollars, held, user_id

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 50


def outcomes(answers: list[Any]) -> Counter[str]:
    """Count the kinds of answers: errors by their class, everything else as done."""
    return Counter(type(answer).__name__ if isinstance(answer, Exception) else "done" for answer in answers)


def race(call: Callable[[], Any], times: int = MANY) -> Counter[str]:
    return outcomes(together([call] * times))


def test_fifty_releases_are_one(world: World) -> None:
    job = world.completed()
    seen = race(lambda: world.release(job))
    assert seen == {"done": 1, WrongState.__name__: MANY - 1}
    assert held("platform:fees") == 1_500
    assert held(f"user:{user_id(job.freelancer)}:pending") == 8_500
    assert Operation.objects.filter(kind="create_transfer").count() == 1
    assert job.history().count("released") == 1


def test_fifty_releases_under_one_key_all_answer_the_one(world: World) -> None:
    job = world.completed()
    assert race(lambda: world.release(job, request_key="one")) == {"done": MANY}
    assert held("platform:fees") == 1_500
    assert job.history().count("released") == 1


def test_fifty_refunds_are_one(world: World) -> None:
    job = world.funded()
    seen = race(lambda: world.refund(job))
    assert seen == {"done": 1, RefundInProgress.__name__: MANY - 1}
    world.work()
    assert Refund.objects.count() == 1
    assert job.escrow.refunded_minor == 10_000


def test_fifty_withdrawals_of_everything_are_one(world: World) -> None:
    job = world.settled()
    seen = race(lambda: world.withdraw(job.freelancer, dollars("85.00")))
    assert seen == {"done": 1, InsufficientFunds.__name__: MANY - 1}
    assert held(f"user:{user_id(job.freelancer)}:withdrawing") == 8_500
    world.work()
    assert len(world.made("payout", f"create_payout:{Withdrawal.objects.get().pk}:1")) == 1


def test_fifty_withdrawals_under_one_key_are_one(world: World) -> None:
    job = world.settled()
    assert race(lambda: world.withdraw(job.freelancer, dollars("10.00"), request_key="one")) == {"done": MANY}
    assert Withdrawal.objects.count() == 1


def test_withdrawals_never_take_more_than_there_is(world: World) -> None:
    job = world.settled()
    seen = race(lambda: world.withdraw(job.freelancer, dollars("20.00")), times=20)
    assert seen == {"done": 4, InsufficientFunds.__name__: 16}
    assert held(f"user:{user_id(job.freelancer)}:available") == 500


def test_twenty_requests_to_pay_make_one_payment(world: World) -> None:
    job = world.hired()
    existed: list[bool] = []
    seen = race(lambda: existed.append(world.ask_to_pay(job).existing), times=20)
    assert set(seen) <= {"done", ProviderUnavailable.__name__}
    assert seen["done"] >= 1
    assert existed.count(False) <= 1, "one of them began it; all others found it begun"
    assert Escrow.objects.count() == Payment.objects.count() == Customer.objects.count() == 1
    payment = Payment.objects.get()
    assert len(world.made("payment_intent", f"create_payment:{payment.pk}:1")) == 1
    assert world.ask_to_pay(job).existing


def test_twenty_accounts_are_one(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    seen = race(lambda: world.create_account(freelancer), times=20)
    assert set(seen) <= {"done", AccountExists.__name__, ProviderUnavailable.__name__}
    assert seen["done"] >= 1
    account = world.account(freelancer)
    assert len(world.made("account", f"create_account:{account.pk}:1")) == 1


def test_the_news_of_a_payment_many_times_at_once_funds_once(world: World) -> None:
    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    state = world.provider.read_payment(str(job.payment.provider_payment_id))
    assert race(lambda: payment_results.confirm("stripe", state, world.now), times=16) == {"done": 16}
    assert held(f"escrow:{job.escrow.pk}") == 10_000
    assert held("platform:processing_costs") == -320
    assert job.history().count("funded") == 1


def test_the_news_of_a_payout_many_times_at_once_pays_once(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("85.00"))
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/settle")
    account = str(withdrawal.account.provider_account_id)
    state = world.provider.read_payout(account_id=account, payout_id=str(withdrawal.provider_payout_id))
    assert race(lambda: withdrawal_outcomes.confirm("stripe", state, world.now), times=16) == {"done": 16}
    assert held(f"provider:stripe:account:{withdrawal.account_id}") == 0


def test_the_news_of_a_refund_many_times_at_once_refunds_once(world: World) -> None:
    job = world.funded()
    refund = world.refund(job, amount=dollars("40.00"))
    world.work()
    state = world.provider.read_refund(str(job.refund.provider_refund_id))
    assert race(lambda: refund_outcomes.confirm("stripe", state, world.now), times=16) == {"done": 16}
    assert held(f"refund:{refund.pk}") == 0
    assert job.escrow.refunded_minor == 4_000


def test_many_settlements_are_one(world: World) -> None:
    job = world.released()
    world.wait(days=3)
    answers = together([lambda: availability.make_available(escrow_id=job.escrow.pk, now=world.now)] * 16)
    assert Counter(answers) == {True: 1, False: 15}
    assert held(f"user:{user_id(job.freelancer)}:available") == 8_500


def test_many_automatic_releases_are_one(world: World) -> None:
    job = world.delivered()
    world.wait(days=14)
    answers = together([lambda: auto_release.release(escrow_id=job.escrow.pk, now=world.now)] * 16)
    assert Counter(answers) == {True: 1, False: 15}
    assert held("platform:fees") == 1_500


def test_a_release_and_a_refund_at_once_have_one_winner(world: World) -> None:
    for _ in range(4):
        job = world.completed()
        finance = world.staff()
        calls: list[Callable[[], Any]] = [lambda job=job: world.release(job)]  # type: ignore[misc]
        calls += [lambda job=job, finance=finance: world.refund(job, finance)]  # type: ignore[misc]
        answers = together(calls * 4)
        assert outcomes(answers)["done"] == 1
        assert all(isinstance(a, PaymentError) for a in answers if isinstance(a, Exception))
        world.work()
        assert (job.escrow.released_minor, job.escrow.refunded_minor) in {(10_000, 0), (0, 10_000)}
        assert held(f"escrow:{job.escrow.pk}") == 0


def test_a_release_and_a_dispute_at_once_have_one_winner(world: World) -> None:
    job = world.completed()

    def dispute() -> Dispute:
        return disputes.open_dispute(actor=job.freelancer, escrow_id=job.escrow.pk, reason="Late", now=world.now)

    answers = together([lambda: world.release(job), dispute] * 8)
    assert outcomes(answers)["done"] == 1
    assert job.escrow.state in {"released", "disputed"}


def test_an_acceptance_and_a_refusal_at_once_have_one_winner(world: World) -> None:
    job = world.started()
    world.refund(job)

    def answer(accept: bool) -> Refund:
        return refunds.answer(actor=job.freelancer, refund_id=job.refund.pk, accept=accept, now=world.now)

    answers = together([lambda: answer(True), lambda: answer(False)] * 8)
    assert outcomes(answers) == {"done": 1, WrongState.__name__: 15}
    assert (job.refund.state, job.escrow.state) in {("pending", "funded"), ("refused", "disputed")}


def test_a_dispute_is_settled_by_one(world: World) -> None:
    job = world.started()
    dispute = disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="Late", now=world.now)
    finance = world.staff()

    def settle() -> Any:
        return disputes.settle(
            actor=finance,
            dispute_id=dispute.pk,
            client_amount=dollars("30.00"),
            freelancer_amount=dollars("70.00"),
            now=world.now,
        )

    assert race(settle, times=16) == {"done": 1, WrongState.__name__: 15}
    world.work()
    assert (job.escrow.refunded_minor, job.escrow.released_minor) == (3_000, 7_000)


def test_many_retries_of_one_transfer_are_one(world: World) -> None:
    job = world.completed()
    account = str(world.account(job.freelancer).provider_account_id)
    world.at_provider("transfers", amount="2000", currency="usd", destination=account, source_transaction=job.charge_id)
    world.release(job)
    world.work()
    finance = world.staff()
    answers = together([lambda: transfer_retries.retry(actor=finance, escrow_id=job.escrow.pk, now=world.now)] * 16)
    assert Counter(answers) == {True: 1, False: 15}


def test_a_payment_and_a_cancellation_at_once_lose_no_money(world: World) -> None:
    from multitask.marketplace import work

    job = world.hired()
    world.ask_to_pay(job)
    world.pay(job)
    state = world.provider.read_payment(str(job.payment.provider_payment_id))
    answers = together(
        [
            lambda: payment_results.confirm("stripe", state, world.now),
            lambda: work.cancel(actor=job.client, task_id=job.task_id, now=world.now),
        ]
    )
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    world.wait(minutes=1)
    world.work()
    funded = (job.escrow.state, held(f"escrow:{job.escrow.pk}")) == ("funded", 10_000)
    returned = (job.escrow.state, job.payment.state) == ("cancelled", "returned")
    assert funded != returned
    assert job.task.status == "cancelled"


def test_news_of_an_account_wakes_each_waiting_transfer_once(world: World) -> None:
    freelancer = world.freelancer(onboarded=False)
    jobs: list[Job] = [world.released(freelancer=freelancer) for _ in range(3)]
    world.create_account(freelancer)
    world.fill_in(freelancer)
    state = world.provider.read_account(str(world.account(freelancer).provider_account_id))
    assert race(lambda: onboarding.confirm("stripe", state, world.now), times=8) == {"done": 8}
    world.work()
    assert [job.transfer.state for job in jobs] == ["succeeded"] * 3
    assert [job.transfer.attempts for job in jobs] == [1] * 3
    world.wait(timedelta(days=3))
    assert held(f"provider:stripe:account:{world.account(freelancer).pk}") == -25_500
