"""The situations of payout accounts: they change, end, are replaced, or cannot be paid out."""

from typing import Final

import pytest

from multitask.money import Money
from multitask.payments.errors import (
    AccountEnded,
    AccountInUse,
    FundsInFormerAccount,
    NoBankInCurrency,
    OnboardingIncomplete,
)
from multitask.payments.payouts import account_moves, onboarding
from tests.integration.situations.situations import ACCOUNTS, CURRENCIES, Situation
from tests.payments_world import Job, World, dollars
from tests.payout_accounts import reject, succeed

EUROS = Money(10_000, "EUR")
DOCUMENT = ["individual.verification.document"]


def stop(world: World, job: Job, **how: object) -> None:
    """Stop the freelancer's account at the provider, and hear of it."""
    world.sandbox.control("POST", f"accounts/{world.account(job.freelancer).provider_account_id}", how)
    world.hear()


def release_while_stopped(world: World, job: Job) -> None:
    stop(world, job, disabled_reason="under_review")
    world.release(job)
    world.work()


def release_after_a_lost_capability(world: World, job: Job) -> None:
    stop(world, job, lost=["transfers"])
    world.release(job)
    world.work()
    stop(world, job, lost=[])


def ask_for_a_document(world: World, job: Job) -> None:
    """The provider asks for a document, and payouts work until its time is over."""
    stop(world, job, currently_due=DOCUMENT, within=86_400)
    world.arrive(world.withdrawn(job.freelancer, dollars("40.00")))


def let_a_document_become_overdue(world: World, job: Job) -> None:
    stop(world, job, currently_due=DOCUMENT)
    with pytest.raises(OnboardingIncomplete):
        world.withdraw(job.freelancer, dollars("40.00"))


def send_an_overdue_document(world: World, job: Job) -> None:
    let_a_document_become_overdue(world, job)
    stop(world, job, currently_due=[])
    world.arrive(world.withdrawn(job.freelancer, dollars("40.00")))


def leave(world: World, job: Job) -> None:
    """End the platform's access to the account, and hear of it."""
    world.receive(world.deauthorized(str(world.account(job.freelancer).provider_account_id)))
    world.work()


def leave_with_money(world: World, job: Job) -> None:
    leave(world, job)
    with pytest.raises(AccountEnded):
        world.withdraw(job.freelancer, dollars("1.00"))


def move(world: World, job: Job) -> None:
    for account_id in account_moves.due(now=world.now):
        account_moves.move(account_id=account_id, now=world.now)
    world.work()


def reject_and_replace(world: World, job: Job) -> None:
    reject(world, job.freelancer)
    succeed(world, job.freelancer)
    with pytest.raises(FundsInFormerAccount):
        world.withdraw(job.freelancer, dollars("1.00"))
    move(world, job)


def release_to_the_successor(world: World, job: Job) -> None:
    reject(world, job.freelancer)
    world.release(job)
    world.work()
    succeed(world, job.freelancer)


def leave_and_replace(world: World, job: Job) -> None:
    leave(world, job)
    succeed(world, job.freelancer)
    move(world, job)


def reject_during_a_transfer(world: World, job: Job) -> None:
    world.sandbox.add_fault("drop_response", method="POST", path="/v1/transfers", count=1)
    world.release(job)
    world.work()
    reject(world, job.freelancer)
    succeed(world, job.freelancer)
    world.wait(minutes=5)
    world.work()
    move(world, job)


def return_to_a_retired_account(world: World, job: Job) -> None:
    withdrawal = world.arrive(world.withdrawn(job.freelancer, dollars("85.00")))
    reject(world, job.freelancer)
    succeed(world, job.freelancer)
    world.sandbox.control("POST", f"payouts/{withdrawal.provider_payout_id}/fail", {"code": "account_closed"})
    world.hear()
    move(world, job)


def choose_anew(world: World, job: Job) -> None:
    onboarding.replace(actor=job.freelancer, country="DE", currency="EUR", now=world.now)
    world.work()


def choose_anew_too_late(world: World, job: Job) -> None:
    with pytest.raises(AccountInUse):
        choose_anew(world, job)


def euros_with_a_bank(world: World) -> Job:
    """85.00 euros are available, and the payout account has a bank account in euros."""
    job = world.completed(EUROS)
    world.add_bank(job.freelancer, "EUR")
    world.release(job)
    world.work()
    world.settle(job)
    return job


def remove_bank(world: World, job: Job) -> None:
    """Remove the bank account in euros at the provider; nobody hears of it."""
    account = world.account(job.freelancer).provider_account_id
    found = world.at_provider_now(f"accounts/{account}/external_accounts")["data"]
    bank = next(each["id"] for each in found if each["currency"] == "eur")
    world.delete_at_provider(f"accounts/{account}/external_accounts/{bank}")


def withdraw_to_a_bank_that_is_gone(world: World, job: Job) -> None:
    remove_bank(world, job)
    assert world.withdrawn(job.freelancer, Money(8_500, "EUR")).state == "failed"


def withdraw_after_the_bank_is_known_to_be_gone(world: World, job: Job) -> None:
    remove_bank(world, job)
    world.hear()
    with pytest.raises(NoBankInCurrency):
        world.withdraw(job.freelancer, Money(8_500, "EUR"))


def settle_without_a_bank(world: World, job: Job) -> None:
    world.settle(job)
    with pytest.raises(NoBankInCurrency):
        world.withdraw(job.freelancer, Money(100, "EUR"))


def add_the_bank(world: World, job: Job) -> None:
    world.add_bank(job.freelancer, "EUR")
    world.work()
    world.settle(job)


ACCOUNT_SITUATIONS: Final = (
    Situation(
        group=ACCOUNTS,
        title="The account is stopped before the release",
        begin=lambda world: world.completed(),
        happen=release_while_stopped,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="Requirements are due again while payouts work",
        begin=lambda world: world.settled(),
        happen=ask_for_a_document,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="Requirements are past due and payouts stop",
        begin=lambda world: world.settled(),
        happen=let_a_document_become_overdue,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="Requirements that were past due are met",
        begin=lambda world: world.settled(),
        happen=send_an_overdue_document,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="The account loses a capability and gets it back",
        begin=lambda world: world.completed(),
        happen=release_after_a_lost_capability,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="The account leaves the platform with money in it",
        begin=lambda world: world.settled(),
        happen=leave_with_money,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="The account left the platform and is replaced",
        begin=lambda world: world.settled(),
        happen=leave_and_replace,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="The account is rejected before the release and replaced",
        begin=lambda world: world.completed(),
        happen=release_to_the_successor,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="The account is rejected with money in it and replaced",
        begin=lambda world: world.settled(),
        happen=reject_and_replace,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="The account is rejected and replaced while a transfer is under way",
        begin=lambda world: world.completed(),
        happen=reject_during_a_transfer,
        state="released",
    ),
    Situation(
        group=ACCOUNTS,
        title="A payout comes back to an account that was replaced",
        begin=lambda world: world.settled(),
        happen=return_to_a_retired_account,
        state="released",
    ),
    Situation(
        group=CURRENCIES,
        title="A wrong country is chosen anew before anything was paid",
        begin=lambda world: world.completed(),
        happen=choose_anew,
        state="funded",
    ),
    Situation(
        group=CURRENCIES,
        title="A wrong country cannot be chosen anew after a transfer",
        begin=lambda world: world.released(),
        happen=choose_anew_too_late,
        state="released",
    ),
    Situation(
        group=CURRENCIES,
        title="There is no bank account in the currency",
        begin=lambda world: world.released(EUROS),
        happen=settle_without_a_bank,
        state="released",
    ),
    Situation(
        group=CURRENCIES,
        title="A bank account in the currency is added after the release",
        begin=lambda world: world.released(EUROS),
        happen=add_the_bank,
        state="released",
    ),
    Situation(
        group=CURRENCIES,
        title="A withdrawal is refused since the bank account in the currency is gone",
        begin=euros_with_a_bank,
        happen=withdraw_to_a_bank_that_is_gone,
        state="released",
    ),
    Situation(
        group=CURRENCIES,
        title="A withdrawal is not begun since there is no bank account in the currency any more",
        begin=euros_with_a_bank,
        happen=withdraw_after_the_bank_is_known_to_be_gone,
        state="released",
    ),
)
