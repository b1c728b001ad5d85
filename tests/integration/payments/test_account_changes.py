"""Payout accounts that are stopped, asked for more, rejected or closed: noticed, said in words, money where it was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.forms import model_to_dict

from multitask.payments.errors import AccountEnded, OnboardingIncomplete
from multitask.payments.models import AuditEvent, ConnectedAccount, Notice, Withdrawal
from multitask.payments.notices import notices, wording
from multitask.payments.payouts import account_status, onboarding
from multitask.payments.payouts.account_status import AccountStatus
from multitask.payments.reads import pending_reasons
from multitask.payments.reads.pending_reasons import Reason
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.webhooks import poll_groups, polling
from tests.payments_world import World, dollars, held, user_id
from tests.provider_balances import ProviderBalances

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def equal_books(balances: ProviderBalances) -> Iterator[None]:
    """After each test the books are the provider's."""
    yield
    balances.require_equal()


def stop(world: World, actor: Actor, **how: object) -> None:
    world.sandbox.control("POST", f"accounts/{world.account(actor).provider_account_id}", how)


def leave(world: World, actor: Actor) -> None:
    """End the platform's access to an account, and hear of it."""
    world.receive(world.deauthorized(str(world.account(actor).provider_account_id)))
    world.work()


def events(actor: Actor) -> list[str]:
    return list(AuditEvent.objects.filter(user_id=user_id(actor)).order_by("pk").values_list("event", flat=True))


def told(world: World, actor: Actor, kind: str = "account_ended") -> str:
    """What a person's notice of an event says; the last thing in a test, since it queues an email."""
    notices.collect(now=world.now)
    return wording.of(Notice.objects.get(user_id=user_id(actor), kind=kind)).text


def status(world: World, actor: Actor) -> AccountStatus:
    return account_status.of(world.account(actor))


def reasons(world: World, actor: Actor) -> list[Reason]:
    account = onboarding.account_of(user_id(actor))
    found = pending_reasons.pending_funds(user_id=user_id(actor), account=account, now=world.now, zone=UTC)  # type: ignore[arg-type]
    return [pending.reason for pending in found.amounts]


def test_an_account_in_use_that_is_stopped_is_noticed_by_the_poll(world: World) -> None:
    job = world.completed()
    stop(world, job.freelancer, disabled_reason="under_review")
    assert status(world, job.freelancer) is AccountStatus.READY

    polling.refresh_open(now=MIDNIGHT + 14 * MINUTE)
    assert status(world, job.freelancer) is AccountStatus.READY
    polling.refresh_open(now=MIDNIGHT + 15 * MINUTE)
    assert status(world, job.freelancer) is AccountStatus.PAUSED
    assert events(job.freelancer)[-1] == "account_paused"

    world.release(job)
    world.work()
    assert (job.transfer.state, job.transfer.hold) == ("pending", "awaits_account")
    assert reasons(world, job.freelancer) == [Reason.CHECKED]

    stop(world, job.freelancer, disabled_reason=None)
    polling.refresh_open(now=MIDNIGHT + 30 * MINUTE)
    world.work()
    assert job.transfer.state == "succeeded"
    assert status(world, job.freelancer) is AccountStatus.READY
    assert "There is nothing for you to do now." in told(world, job.freelancer, "account_paused")


def test_an_idle_account_that_is_stopped_or_closed_is_noticed_by_the_poll_within_minutes(world: World) -> None:
    stopped, closed = world.freelancer(), world.freelancer()
    stop(world, stopped, disabled_reason="listed")
    world.deauthorized(str(world.account(closed).provider_account_id))
    polling.refresh_open(now=MIDNIGHT + 14 * MINUTE)
    polling.refresh_open(now=MIDNIGHT + 14 * MINUTE)
    assert [status(world, each) for each in (stopped, closed)] == [AccountStatus.READY] * 2
    polling.refresh_open(now=MIDNIGHT + 15 * MINUTE)
    assert status(world, stopped) is AccountStatus.PAUSED
    assert status(world, closed) is AccountStatus.CLOSED


def test_more_idle_accounts_than_one_poll_reads_are_read_by_the_next_ones(world: World) -> None:
    oldest = world.freelancer()
    others = [
        User(username=f"idle{number}", email=f"idle{number}@example.test")
        for number in range(2 * poll_groups.IDLE_AT_ONCE)
    ]
    fields = model_to_dict(world.account(oldest), exclude=["id", "public_id", "user", "provider_account_id"])
    for number, user in enumerate(User.objects.bulk_create(others)):
        ConnectedAccount.objects.create(**fields, user=user, provider_account_id=f"acct_idle{number}")
    stop(world, oldest, disabled_reason="listed")

    polling.refresh_open(now=MIDNIGHT + 15 * MINUTE)
    assert status(world, oldest) is AccountStatus.READY
    polling.refresh_open(now=MIDNIGHT + 16 * MINUTE)
    assert status(world, oldest) is AccountStatus.PAUSED


def test_an_account_that_loses_its_capability_receives_nothing_until_it_has_it_back(world: World) -> None:
    job = world.completed()
    stop(world, job.freelancer, lost=["transfers"])
    world.hear()
    assert not world.account(job.freelancer).can_receive
    world.release(job)
    world.work()
    assert job.transfer.hold == "awaits_account"

    stop(world, job.freelancer, lost=[])
    world.hear()
    assert job.transfer.state == "succeeded"


def test_details_that_are_due_again_are_asked_for_while_the_account_still_works(world: World) -> None:
    freelancer = world.freelancer()
    stop(world, freelancer, currently_due=["individual.verification.document"], within=86_400)
    world.hear()
    assert status(world, freelancer) is AccountStatus.DETAILS_DUE
    assert world.account(freelancer).onboarding_completed
    assert events(freelancer)[-1] == "account_details_due"

    stop(world, freelancer, currently_due=["individual.verification.document"])
    world.hear()
    assert status(world, freelancer) is AccountStatus.INCOMPLETE
    assert events(freelancer)[-1] == "account_needs_attention"
    assert "Your payouts still work." in told(world, freelancer, "account_details_due")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("rejected.fraud", "it suspects fraud"),
        ("rejected.terms_of_service", "it breaks its terms"),
        ("rejected.listed", "its owner is on a list"),
        ("rejected.incomplete_verification", "it could not verify your details"),
        ("rejected.platform_other", "This platform has rejected this account."),
        ("rejected.other", "The payment provider has rejected this account."),
    ],
)
def test_a_rejected_account_is_said_to_be_final(world: World, reason: str, words: str) -> None:
    job = world.released(freelancer=world.freelancer(onboarded=False))
    world.onboard(job.freelancer)
    world.work()
    assert job.transfer.state == "succeeded"
    stop(world, job.freelancer, disabled_reason=reason)
    world.hear()

    assert status(world, job.freelancer) is AccountStatus.REJECTED
    assert reasons(world, job.freelancer) == [Reason.ENDED]
    assert held(f"user:{user_id(job.freelancer)}:pending") == 8_500
    with pytest.raises(AccountEnded):
        world.fill_in(job.freelancer)
    with pytest.raises(AccountEnded):
        onboarding.login_link(actor=job.freelancer, now=world.now)
    said = told(world, job.freelancer)
    assert words in said
    assert "That is final" in said


def test_an_account_that_left_the_platform_is_closed_by_its_last_event(world: World) -> None:
    job = world.settled()
    leave(world, job.freelancer)
    assert status(world, job.freelancer) is AccountStatus.CLOSED
    assert events(job.freelancer)[-1] == "account_ended"
    with pytest.raises(AccountEnded):
        world.withdraw(job.freelancer, dollars("85.00"))
    assert not Withdrawal.objects.exists()
    assert held(f"user:{user_id(job.freelancer)}:available") == 8_500
    assert "closed, or disconnected from this platform" in told(world, job.freelancer)


def test_a_transfer_that_meets_a_closed_account_waits_for_the_next_one(world: World) -> None:
    job = world.completed()
    account = str(world.account(job.freelancer).provider_account_id)
    world.deauthorized(account)
    world.release(job)
    world.work()
    assert (job.transfer.state, job.transfer.last_error_code) == ("pending", "destination_gone")

    polling.refresh_open(now=MIDNIGHT + 15 * MINUTE)
    assert status(world, job.freelancer) is AccountStatus.CLOSED
    world.wait(hours=1)
    world.work()
    assert job.transfer.hold == "awaits_account"


def test_others_are_paid_while_one_account_is_closed(world: World) -> None:
    closed, other = world.settled(), world.settled()
    leave(world, closed.freelancer)
    withdrawal = world.arrive(world.withdrawn(other.freelancer, dollars("85.00")))
    assert withdrawal.state == "completed"
    assert held(f"user:{user_id(closed.freelancer)}:available") == 8_500


def test_bank_details_of_a_complete_account_are_changed_behind_a_login_link(world: World) -> None:
    freelancer = world.freelancer()
    link = onboarding.login_link(actor=freelancer, now=world.now)
    assert link.startswith(world.sandbox.base_url)
    incomplete = world.freelancer(onboarded=False)
    world.create_account(incomplete)
    with pytest.raises(OnboardingIncomplete):
        onboarding.login_link(actor=incomplete, now=world.now)


def test_the_webhook_and_the_poll_tell_the_owner_once(world: World) -> None:
    job = world.completed()
    stop(world, job.freelancer, disabled_reason="rejected.fraud")
    polling.refresh_open(now=MIDNIGHT + 15 * MINUTE)
    world.hear()
    polling.refresh_open(now=MIDNIGHT + 30 * MINUTE)
    assert events(job.freelancer).count("account_ended") == 1
