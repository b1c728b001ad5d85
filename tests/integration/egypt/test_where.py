"""Where money on a platform route is, why it is not further, and who has to act."""

from dataclasses import replace
from datetime import datetime

from django.db import connection
from django.test.utils import CaptureQueriesContext

from multitask.payments.payouts import identity
from multitask.payments.reads import escrow_detail, pending_reasons, wallet_views, where
from multitask.payments.reads.pending_reasons import PendingShare
from multitask.users.actor import Actor
from tests.egypt_world import COOL_DOWN, SUCCEEDS, EgyptWorld, pounds
from tests.payments_world import Job, user_id

Row = tuple[str, int, str, str | None]


def rows(found: list[where.Where]) -> list[Row]:
    return [
        (row.place.value, row.amount.amount_minor, row.reason.value, row.depends_on.value if row.depends_on else None)
        for row in found
    ]


def identified(world: EgyptWorld) -> Actor:
    """A freelancer whose identity is confirmed, and who has no destination yet."""
    payee = world.freelancer(onboarded=False)
    world.identify(payee)
    return payee


def of_escrow(world: EgyptWorld, job: Job) -> list[where.Where]:
    """What the payee sees of the escrow; the amounts add up to its total."""
    found = where.of_escrow(job.freelancer, job.escrow, world.now)
    assert sum(row.amount.amount_minor for row in found) == job.escrow.total_minor
    return [row for row in found if row.place.value != "fee"]


def of_wallet(world: EgyptWorld, actor: Actor) -> list[where.Where]:
    return wallet_views.read(user_id=user_id(actor), default_currency="EGP", now=world.now)[0].where


def test_available_money_names_what_is_missing_first(world: EgyptWorld) -> None:
    payee = world.freelancer(onboarded=False)
    job = world.earned(payee)

    def reason() -> Row:
        [here], [in_wallet] = rows(of_escrow(world, job)), rows(of_wallet(world, payee))
        assert here == in_wallet
        return here

    assert reason() == ("available", 85_000, "identity_missing", "freelancer")
    submitted = world.submit_identity(payee)
    assert reason() == ("available", 85_000, "identity_unconfirmed", "staff")
    identity.reject(actor=world.staff("support"), identity_id=submitted.pk, note="Unreadable.", now=world.now)
    assert reason() == ("available", 85_000, "identity_rejected", "freelancer")
    world.identify(payee)
    assert reason() == ("available", 85_000, "destination_missing", "freelancer")
    world.add_wallet(payee, SUCCEEDS)
    # It can be withdrawn during the cool-down already, and waits then.
    assert reason() == ("available", 85_000, "not_withdrawn", "freelancer")


def test_a_withdrawal_waits_for_the_cool_down_then_for_the_budget_then_is_under_way(world: EgyptWorld) -> None:
    payee = identified(world)
    job = world.earned(payee)
    ends: datetime = world.add_wallet(payee, SUCCEEDS).usable_from
    world.withdraw(payee, pounds("850.00"))

    for found in (of_escrow(world, job), of_wallet(world, payee)):
        assert rows(found) == [("withdrawing", 85_000, "destination_cooling_down", None)]
        assert found[0].until == ends

    world.wait(COOL_DOWN)
    for found in (of_escrow(world, job), of_wallet(world, payee)):
        assert rows(found) == [("withdrawing", 85_000, "awaits_budget", "staff")]

    world.fill_budget(pounds("1000.00"))
    assert rows(of_escrow(world, job)) == [("bank", 85_000, "done", None)]


def test_withdrawals_that_wait_for_different_reasons_are_told_apart(world: EgyptWorld) -> None:
    payee = world.payee()
    world.earned(payee)
    world.withdraw(payee, pounds("100.00"))
    world.withdraw(payee, pounds("50.00"))
    assert rows(of_wallet(world, payee)) == [
        ("available", 70_000, "not_withdrawn", "freelancer"),
        ("withdrawing", 15_000, "awaits_budget", "staff"),
    ]


def test_a_share_that_is_not_available_yet_arrives_or_is_contested_and_needs_no_account(world: EgyptWorld) -> None:
    share = PendingShare(
        currency="EGP",
        settles_at=None,
        is_frozen=False,
        is_refused=False,
        account_id=None,
        is_out_of_reach=False,
        is_on_platform=True,
    )
    assert pending_reasons.reason_of(share, None, world.now) is pending_reasons.Reason.ARRIVING
    frozen = replace(share, is_frozen=True)
    assert pending_reasons.reason_of(frozen, None, world.now) is pending_reasons.Reason.CONTESTED


def test_the_number_of_statements_is_bounded(world: EgyptWorld) -> None:
    payee = world.payee()
    first = world.earned(payee)
    world.withdraw(payee, pounds("100.00"))

    def counted() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as in_wallet:
            of_wallet(world, payee)
        with CaptureQueriesContext(connection) as in_escrow:
            escrow_detail.read(payee, first.escrow.pk, world.now)
        return len(in_wallet), len(in_escrow)

    before = counted()
    world.earned(payee)
    world.withdraw(payee, pounds("200.00"))
    world.withdraw(payee, pounds("300.00"))
    assert counted() == before


def test_an_escrow_takes_one_statement_until_its_payee_may_be_paid(world: EgyptWorld) -> None:
    payee = world.payee()
    first = world.funded(pounds("1000.00"), freelancer=payee)

    def counted(reader: Actor, job: Job) -> int:
        escrow_id = job.escrow.pk
        with CaptureQueriesContext(connection) as statements:
            escrow_detail.read(reader, escrow_id, world.now)
        return len(statements)

    assert (counted(first.client, first), counted(payee, first)) == (1, 1)
    earned = world.earned(payee)
    assert counted(earned.client, earned) == 1
    view, found = escrow_detail.read(payee, earned.escrow.pk, world.now)
    assert (view.escrow, found) == (earned.escrow, where.of_escrow(payee, earned.escrow, world.now))
