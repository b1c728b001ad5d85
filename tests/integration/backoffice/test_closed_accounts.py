"""Money in closed payout accounts, of which the provider reports nothing more: finance records what became of it."""

from typing import Any

import pytest
from django.test import Client

from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.books import statement
from multitask.payments.errors import AmountTooLarge, Forbidden, WrongState
from multitask.payments.models import Approval, ConnectedAccount, Escrow, ProviderAccount, StatementLine, Withdrawal
from multitask.payments.payouts import availability, closed_accounts
from multitask.users.actor import Actor
from multitask.web.backoffice import work_queue
from multitask.webhooks import statement as reading
from tests.integration.backoffice import addresses
from tests.integration.backoffice.test_actions import WHY, audited, do, told
from tests.payments_world import SETTLED_AT_ONCE, SETTLING, Job, World, dollars, held, user_id

LINES = "Statement lines in flight of closed payout accounts"
PAYOUTS = "Withdrawals under way from closed payout accounts"
MONEY = "Money in closed payout accounts"


def read(world: World, account: ConnectedAccount) -> ProviderAccount:
    statement.add_accounts(["stripe"], world.now)
    found = ProviderAccount.objects.get(account=account)
    reading.refresh(account_id=found.pk, now=world.now)
    return found


def close(world: World, account: ConnectedAccount) -> ConnectedAccount:
    """Its owner ends the platform's access to it."""
    world.receive(world.deauthorized(str(account.provider_account_id)))
    world.work()
    account.refresh_from_db()
    assert account.closed
    return account


def under_way(world: World) -> tuple[Job, Withdrawal, ProviderAccount]:
    """A payout that has left an account which was closed before it arrived."""
    job = world.settled()
    account = world.account(job.freelancer)
    withdrawal = world.withdrawn(job.freelancer, dollars("60.00"))
    read(world, account)
    close(world, account)
    return job, withdrawal, read(world, account)


def balance(account: ConnectedAccount) -> int:
    return held(f"provider:stripe:account:{account.pk}")


def states(account: ProviderAccount) -> set[str]:
    return set(StatementLine.objects.filter(account=account).values_list("state", flat=True))


def test_the_staff_sees_lines_in_flight_that_nobody_reports_about(world: World, office: Client) -> None:
    other = world.settled()
    world.withdrawn(other.freelancer, dollars("60.00"))
    read(world, world.account(other.freelancer))
    assert LINES not in told(office, "/backoffice/")
    _job, _withdrawal, account = under_way(world)
    line = StatementLine.objects.get(account=account, state="in_flight")
    assert list(work_queue.unreadable_lines(world.now)) == [line]
    assert LINES in told(office, "/backoffice/")
    page = told(office, "/backoffice/payments/statementline/?waits=unreadable")
    assert line.provider_line_id in page
    assert page.count("txn_") == page.count(line.provider_line_id)


def test_a_withdrawal_that_was_paid_ends_with_its_line(world: World, finance: Actor, office: Client) -> None:
    _job, withdrawal, account = under_way(world)
    assert PAYOUTS in told(office, "/backoffice/")
    assert addresses.action("withdrawal-was-paid", withdrawal.pk) in told(office, addresses.change(withdrawal))
    do(office, "withdrawal-was-paid", withdrawal.pk)
    audited("withdrawal_found_paid", finance)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"
    assert states(account) == {"matched"}
    assert withdrawal.account is not None
    assert balance(withdrawal.account) == -2_500
    for name in (LINES, PAYOUTS):
        assert name not in told(office, "/backoffice/")
    with pytest.raises(WrongState):
        closed_accounts.decide(actor=finance, withdrawal_id=withdrawal.pk, is_paid=True, note=WHY, now=world.now)


def test_a_withdrawal_that_was_not_paid_is_back_in_the_wallet(world: World, finance: Actor, office: Client) -> None:
    job, withdrawal, account = under_way(world)
    do(office, "withdrawal-was-not-paid", withdrawal.pk)
    audited("withdrawal_found_unpaid", finance)
    withdrawal.refresh_from_db()
    assert (withdrawal.state, withdrawal.failure_code) == ("failed", "payout_not_made")
    assert world.wallet(job.freelancer).available == dollars("85.00")
    assert states(account) == {"matched"}
    assert sum(line.net.amount_minor for line in StatementLine.objects.filter(account=account)) == 8_500
    assert LINES not in told(office, "/backoffice/")


def test_lines_whose_object_was_decided_are_matched_though_the_statement_is_closed(world: World) -> None:
    job = world.settled()
    account = world.account(job.freelancer)
    withdrawal = world.withdrawn(job.freelancer, dollars("60.00"))
    found = read(world, account)
    world.arrive(withdrawal)
    StatementLine.objects.filter(account=found, kind="payout").update(state="in_flight")
    close(world, account)
    read(world, account)
    assert states(found) == {"matched"}


def test_a_payout_from_a_closed_account_is_recorded(world: World, finance: Actor, office: Client) -> None:
    job = world.settled()
    account = world.account(job.freelancer)
    found = read(world, account)
    close(world, account)
    assert MONEY in told(office, "/backoffice/")
    assert addresses.action("record-paid-out", account.pk) in told(office, addresses.change(account))
    do(office, "record-paid-out", account.pk, written="85.00", currency="USD")
    audited("payout_recorded", finance)
    withdrawal = Withdrawal.objects.get()
    assert (withdrawal.state, withdrawal.is_outside, withdrawal.amount_minor) == ("completed", True, 8_500)
    assert (balance(account), world.wallet(job.freelancer).available) == (0, dollars("0.00"))
    assert states(found) == {"matched"}
    assert sum(line.net.amount_minor for line in StatementLine.objects.filter(account=found)) == 0
    assert MONEY not in told(office, "/backoffice/")
    assert addresses.action("record-paid-out", account.pk) not in told(office, addresses.change(account))


def record(world: World, finance: Actor, account: ConnectedAccount, amount: str) -> None:
    closed_accounts.record_payout(actor=finance, account_id=account.pk, amount=dollars(amount), note=WHY, now=world.now)


def settle_due(world: World) -> int:
    """Do what the job of each minute does."""
    return availability.make_available_together(availability.due(now=world.now), now=world.now)


def pending_and_available(world: World, payee: Actor) -> tuple[Money, Money]:
    wallet = world.wallet(payee)
    return wallet.pending, wallet.available


def test_pending_shares_are_settled_once_the_account_is_recorded_as_empty(world: World, finance: Actor) -> None:
    first = world.released()
    second = world.released(freelancer=first.freelancer)
    account = close(world, world.account(first.freelancer))
    world.wait(SETTLING)

    record(world, finance, account, "100.00")
    assert settle_due(world) == 0
    record(world, finance, account, "70.00")
    assert settle_due(world) == 2

    assert [job.escrow.made_available_at for job in (first, second)] == [world.now, world.now]
    assert pending_and_available(world, first.freelancer) == (dollars("0.00"), dollars("0.00"))
    assert held(f"user:{user_id(first.freelancer)}:paid_ahead") == balance(account) == 0


def test_a_record_that_takes_what_is_available_leaves_the_share_to_be_withdrawn(world: World, finance: Actor) -> None:
    """85.00 are pending in the closed account and 85.00 available in the next: what was paid out counts once."""
    first = world.released()
    account = close(world, world.account(first.freelancer))
    world.onboard(first.freelancer)
    world.settled(freelancer=first.freelancer)

    record(world, finance, account, "85.00")
    assert pending_and_available(world, first.freelancer) == (dollars("85.00"), dollars("0.00"))
    assert settle_due(world) == 1
    assert pending_and_available(world, first.freelancer) == (dollars("0.00"), dollars("85.00"))


def test_a_decided_withdrawal_that_empties_the_account_settles_too(world: World, finance: Actor) -> None:
    world.give_the_platform_money()
    job = world.released(card=SETTLED_AT_ONCE)
    account = world.account(job.freelancer)
    world.sandbox.settle(account.provider_account_id)
    world.wait(days=1)
    settle_due(world)
    second = world.released(freelancer=job.freelancer)
    withdrawal = world.withdrawn(job.freelancer, dollars("85.00"))
    close(world, account)
    world.wait(SETTLING)
    record(world, finance, account, "85.00")
    assert settle_due(world) == 0

    closed_accounts.decide(actor=finance, withdrawal_id=withdrawal.pk, is_paid=True, note=WHY, now=world.now)

    assert settle_due(world) == 1
    assert second.escrow.made_available_at == world.now
    assert pending_and_available(world, job.freelancer) == (dollars("0.00"), dollars("0.00"))


def test_a_share_that_was_held_is_settled_later(world: World, finance: Actor) -> None:
    job = world.released()
    account = close(world, world.account(job.freelancer))
    world.wait(SETTLING)
    Escrow.objects.filter(pk=job.escrow.pk).update(frozen_at=world.now)
    record(world, finance, account, "85.00")
    assert settle_due(world) == 0
    Escrow.objects.filter(pk=job.escrow.pk).update(frozen_at=None)
    assert settle_due(world) == 1


def test_a_record_counts_once(world: World, finance: Actor) -> None:
    job = world.settled()
    account = close(world, world.account(job.freelancer))
    for _time in range(2):
        closed_accounts.record_payout(
            actor=finance, account_id=account.pk, amount=dollars("40.00"), note=WHY, now=world.now, request_key="key-1"
        )
    assert Withdrawal.objects.get().amount == dollars("40.00")
    assert balance(account) == -4_500


@pytest.mark.usefixtures("world")
def test_large_amounts_need_a_second_person(world: World, finance: Actor, settings: Any) -> None:
    settings.SECOND_PERSON_ABOVE_MINOR = 1
    _job, withdrawal, account = under_way(world)
    assert account.account is not None
    closed_accounts.decide(actor=finance, withdrawal_id=withdrawal.pk, is_paid=True, note=WHY, now=world.now)
    closed_accounts.record_payout(
        actor=finance, account_id=account.account.pk, amount=dollars("25.00"), note=WHY, now=world.now
    )
    assert balance(account.account) == -8_500
    for asked in list(Approval.objects.all()):
        approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    assert balance(account.account) == 0
    assert set(Withdrawal.objects.values_list("state", flat=True)) == {"completed"}


def test_what_cannot_be_recorded(world: World, finance: Actor) -> None:
    job = world.settled()
    account = world.account(job.freelancer)

    def record(amount: Money, note: str = WHY, actor: Actor = finance) -> object:
        return closed_accounts.record_payout(
            actor=actor, account_id=account.pk, amount=amount, note=note, now=world.now
        )

    with pytest.raises(WrongState):
        record(dollars("85.00"))  # It is open, so its payouts are reported.
    close(world, account)
    for actor in (job.freelancer, world.staff("support")):
        with pytest.raises(Forbidden):
            record(dollars("85.00"), actor=actor)
    with pytest.raises(WrongState):
        record(dollars("85.00"), note=" ")
    with pytest.raises(AmountTooLarge):
        record(dollars("85.01"))
    assert not Withdrawal.objects.filter(user_id=user_id(job.freelancer)).exists()
