"""Successor accounts: opened once, paid what waited, and the former account's money stays accounted for."""

from collections import Counter
from collections.abc import Iterator

import pytest

from multitask.money import Money
from multitask.payments.errors import (
    AccountExists,
    AccountInUse,
    CountryUnsupported,
    CurrencyUnsupported,
    FundsInFormerAccount,
    NoAccount,
    NoBankInCurrency,
    ProviderRefused,
    ProviderUnavailable,
)
from multitask.payments.models import AuditEvent, ConnectedAccount, Escrow, Operation
from multitask.payments.operations import engine
from multitask.payments.payouts import account_balances, account_choices, former_accounts, onboarding
from multitask.users.actor import Actor
from multitask.web.backoffice import work_queue
from tests.integration.races import together
from tests.payments_world import Job, World, dollars, held, user_id
from tests.payout_accounts import in_account, reject
from tests.provider_balances import ProviderBalances

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def equal_books(balances: ProviderBalances) -> Iterator[None]:
    """After each test the books are the provider's."""
    yield
    balances.require_equal()


def replace(world: World, actor: Actor, country: str = "DE", currency: str = "EUR") -> ConnectedAccount:
    account = onboarding.replace(actor=actor, country=country, currency=currency, now=world.now)
    world.listen_to(str(account.provider_account_id))
    return account


def unsent(world: World) -> Job:
    """A release whose transfer is asked for and whose answer does not come."""
    job = world.completed()
    world.release(job)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/transfers", count=1)
    world.work()
    assert job.transfer.state == "unknown"
    return job


def test_what_waits_for_an_account_goes_to_the_successor(world: World) -> None:
    job = world.completed()
    former = reject(world, job.freelancer)
    world.release(job)
    world.work()
    assert job.transfer.hold == "awaits_account"

    successor = world.create_account(job.freelancer)
    former.refresh_from_db()
    assert former.retired_at is not None
    assert world.account(job.freelancer) == successor != former
    world.fill_in(job.freelancer)
    world.hear()

    assert (job.transfer.state, job.transfer.account) == ("succeeded", successor)
    assert (in_account(former), in_account(successor)) == (0, 8_500)
    world.settle(job)
    assert held(f"user:{user_id(job.freelancer)}:available") == 8_500


def test_an_account_that_works_has_no_successor(world: World) -> None:
    freelancer = world.freelancer()
    with pytest.raises(AccountExists):
        world.create_account(freelancer)
    world.sandbox.control(
        "POST", f"accounts/{world.account(freelancer).provider_account_id}", {"disabled_reason": "under_review"}
    )
    world.hear()
    with pytest.raises(AccountExists):
        world.create_account(freelancer)


def test_many_requests_at_once_open_one_successor(world: World) -> None:
    freelancer = world.freelancer()
    reject(world, freelancer)
    answers = together([lambda: onboarding.create(actor=freelancer, country="US", currency="USD", now=world.now)] * 10)
    kinds = Counter(type(answer).__name__ for answer in answers)
    assert kinds["ConnectedAccount"] >= 1
    assert set(kinds) <= {"ConnectedAccount", "AccountExists", "ProviderUnavailable"}
    assert ConnectedAccount.objects.filter(user_id=user_id(freelancer)).count() == 2
    assert ConnectedAccount.objects.filter(user_id=user_id(freelancer), retired_at=None).count() == 1
    successor = world.account(freelancer)
    assert len(world.made("account", f"create_account:{successor.pk}:1")) == 1


def test_a_successor_whose_answer_was_lost_takes_over_once_it_is_known(world: World) -> None:
    freelancer = world.freelancer()
    former = reject(world, freelancer)
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/accounts", count=1)
    with pytest.raises(ProviderUnavailable):
        world.create_account(freelancer)
    assert world.account(freelancer) == former

    operation = Operation.objects.filter(kind="create_account").latest("pk")
    (made,) = world.made("account", operation.reference)
    onboarding.confirm("stripe", world.provider.read_account(made["id"]), world.now)
    assert world.account(freelancer).provider_account_id == made["id"]
    assert engine.perform(operation.pk, now=world.now).state == "succeeded"
    events = AuditEvent.objects.filter(user_id=user_id(freelancer), event="account_replaced")
    assert events.count() == 1


def test_a_transfer_that_reached_the_former_account_is_booked_there(world: World) -> None:
    job = unsent(world)
    former = reject(world, job.freelancer)
    successor = world.create_account(job.freelancer)
    world.fill_in(job.freelancer)
    world.wait(minutes=5)
    world.hear()
    assert (job.transfer.state, job.transfer.account) == ("succeeded", former)
    assert (in_account(former), in_account(successor)) == (8_500, 0)


def test_a_transfer_that_reached_nobody_goes_to_the_successor_once(world: World) -> None:
    job = world.completed()
    world.release(job)
    world.sandbox.add_fault("drop_request", method="POST", path="/v1/transfers", count=1)
    world.work()
    assert (job.transfer.state, job.transfer.account) == ("unknown", world.account(job.freelancer))
    former = reject(world, job.freelancer)
    successor = world.create_account(job.freelancer)
    world.fill_in(job.freelancer)
    world.hear()
    world.wait(minutes=5)
    world.work()

    assert (job.transfer.state, job.transfer.account) == ("succeeded", successor)
    assert len(world.made("transfer", job.transfer.reference)) == 1
    assert (in_account(former), in_account(successor)) == (0, 8_500)


def test_a_payout_that_comes_back_to_a_retired_account_is_booked_on_it(world: World) -> None:
    job = world.settled()
    withdrawal = world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    former = reject(world, job.freelancer)
    successor = world.create_account(job.freelancer)
    world.fill_in(job.freelancer)
    world.hear()

    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/fail", {"code": "account_closed"})
    world.hear()
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.account) == ("failed", former)
    assert (in_account(former), in_account(successor)) == (8_500, 0)
    assert held(f"user:{user_id(job.freelancer)}:available") == 8_500
    with pytest.raises(FundsInFormerAccount):
        world.withdraw(job.freelancer, dollars("1.00"))


def test_a_payout_under_way_when_its_account_is_rejected_ends_on_that_account(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("60.00"))
    former = reject(world, job.freelancer)
    world.create_account(job.freelancer)
    withdrawal = world.arrive(withdrawal)
    assert (withdrawal.state, withdrawal.account) == ("completed", former)
    assert in_account(former) == 2_500


def test_only_what_lies_in_the_present_account_is_withdrawn(world: World) -> None:
    first = world.settled()
    reject(world, first.freelancer)
    world.create_account(first.freelancer)
    world.fill_in(first.freelancer)
    world.hear()
    second = world.released(dollars("20.00"), freelancer=first.freelancer)
    successor = world.account(first.freelancer)
    Escrow.objects.filter(pk=second.escrow.pk).update(made_available_at=None)
    assert account_balances.free_in(successor, "USD") == dollars("17.00")
    assert account_balances.payable_from(successor, "USD") == dollars("0.00")
    Escrow.objects.filter(pk=second.escrow.pk).update(made_available_at=world.now)
    world.settle(second)
    assert held(f"user:{user_id(first.freelancer)}:available") == 8_500 + 1_700
    with pytest.raises(FundsInFormerAccount):
        world.withdraw(first.freelancer, dollars("17.01"))
    withdrawal = world.arrive(world.withdrawn(first.freelancer, dollars("17.00")))
    assert withdrawal.state == "completed"
    with pytest.raises(FundsInFormerAccount):
        world.withdraw(first.freelancer, dollars("1.00"))


# -- a wrong choice


def test_a_wrong_country_is_replaced_and_the_account_closed(world: World) -> None:
    freelancer = world.freelancer()
    former = world.account(freelancer)
    successor = replace(world, freelancer)
    assert (successor.country, successor.currency) == ("DE", "EUR")
    world.work()
    former.refresh_from_db()
    assert former.retired_at is not None
    assert former.closed
    assert world.provider.read_account(str(former.provider_account_id)).closed
    assert Operation.objects.get(kind="close_account").state == "succeeded"
    events = list(AuditEvent.objects.filter(user_id=user_id(freelancer)).order_by("pk").values_list("event", flat=True))
    assert events[-4:] == ["account_requested", "account_replaced", "account_created", "account_deleted"]


def test_a_choice_that_changes_nothing_or_cannot_be_paid_is_refused(world: World) -> None:
    freelancer = world.freelancer()
    with pytest.raises(AccountExists):
        replace(world, freelancer, "US", "USD")
    with pytest.raises(CountryUnsupported):
        replace(world, freelancer, "EG", "EUR")
    with pytest.raises(CurrencyUnsupported):
        replace(world, freelancer, "DE", "JPY")
    with pytest.raises(NoAccount):
        replace(world, world.freelancer(onboarded=False))
    assert not Operation.objects.filter(kind="close_account").exists()


def test_an_account_that_was_paid_is_not_replaced(world: World) -> None:
    job = world.released()
    with pytest.raises(AccountInUse):
        replace(world, job.freelancer)
    assert world.account(job.freelancer).country == "US"


def test_an_account_to_which_a_transfer_may_be_under_way_is_not_replaced(world: World) -> None:
    job = unsent(world)
    with pytest.raises(AccountInUse):
        replace(world, job.freelancer)
    world.wait(minutes=5)
    world.work()
    assert job.transfer.state == "succeeded"


def test_a_replacement_that_the_provider_refuses_leaves_the_account(world: World) -> None:
    freelancer = world.freelancer()
    with pytest.raises(ProviderRefused):
        replace(world, freelancer, "IS")  # The offline Stripe has no accounts in Iceland.
    assert world.account(freelancer).onboarding_completed
    assert replace(world, freelancer).country == "DE"


def test_ten_replacements_at_once_are_one(world: World) -> None:
    freelancer = world.freelancer()
    together([lambda: onboarding.replace(actor=freelancer, country="DE", currency="EUR", now=world.now)] * 10)
    world.work()
    assert world.account(freelancer).country == "DE"
    assert ConnectedAccount.objects.filter(user_id=user_id(freelancer)).count() == 2
    assert Operation.objects.filter(kind="close_account").count() == 1


def test_a_transfer_and_a_replacement_at_once_leave_no_money_behind(world: World) -> None:
    job = world.completed()
    world.release(job)
    transfer = job.transfer
    together(
        [
            lambda: engine.perform(transfer.pk, now=world.now),
            lambda: onboarding.replace(actor=job.freelancer, country="DE", currency="EUR", now=world.now),
        ]
    )
    world.work()
    if job.transfer.state == "succeeded":
        assert not world.provider.read_account(str(job.transfer.account.provider_account_id)).closed
    else:
        assert job.transfer.hold == "awaits_account"
        assert former_accounts.of(world.account(job.freelancer)).get().closed


def test_only_what_the_routes_pay_is_offered() -> None:
    offered = account_choices.offered()
    assert offered.countries["DE"] == "EUR"
    assert offered.countries["GB"] == "GBP"
    assert "EG" not in offered.countries
    assert "USD" in offered.currencies
    assert "JPY" not in offered.currencies


def test_without_a_bank_in_the_currency_a_withdrawal_is_refused_at_once(world: World) -> None:
    job = world.settled()
    with pytest.raises(NoBankInCurrency):
        world.withdraw(job.freelancer, Money(100, "EUR"))


def test_staff_sees_a_withdrawal_whose_outcome_nobody_can_read_any_more(world: World) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("60.00"))
    assert not work_queue.unreadable_payouts(world.now).exists()
    world.receive(world.deauthorized(str(world.account(job.freelancer).provider_account_id)))
    world.work()
    assert list(work_queue.unreadable_payouts(world.now)) == [withdrawal]
