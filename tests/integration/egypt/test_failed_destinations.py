"""A payout that failed because of its destination is not tried there again once its owner has added another one."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from multitask.payments.models import Disbursement, PayoutDestination
from multitask.payments.reads import waiting_payouts
from multitask.payments.reads.waiting_payouts import WaitingReason
from multitask.users.actor import Actor
from tests.egypt_world import COOL_DOWN, FAILS, SUCCEEDS, EgyptWorld, disbursement_of, pounds
from tests.integration.pages.reading import text_of
from tests.payments_world import user_id

SignIn = Callable[[Actor], Client]


@pytest.fixture
def refused(world: EgyptWorld) -> Actor:
    """A payee whose wallet took no payout."""
    payee = world.payee(FAILS)
    world.earned(payee)
    world.fill_budget(pounds("3000.00"))
    withdrawal = world.withdrawn(payee, pounds("100.00"))
    withdrawal.refresh_from_db()
    assert withdrawal.state == "failed"
    return payee


def test_the_next_withdrawal_waits_for_the_new_destination(world: EgyptWorld, refused: Actor) -> None:
    added = world.add_wallet(refused, SUCCEEDS)
    withdrawal = world.withdrawn(refused, pounds("100.00"))
    payout = disbursement_of(withdrawal)
    assert payout.destination_id == added.pk
    waiting = waiting_payouts.of(payout, world.now)
    assert waiting is not None
    assert (waiting.reason, waiting.until) == (WaitingReason.DESTINATION_COOLING_DOWN, added.usable_from)

    world.wait(COOL_DOWN)
    world.allot()
    withdrawal.refresh_from_db()
    assert withdrawal.state == "completed"
    assert len(world.payouts_there()) == 2


def test_without_another_destination_it_is_tried_again(world: EgyptWorld, refused: Actor) -> None:
    withdrawal = world.withdrawn(refused, pounds("100.00"))
    assert disbursement_of(withdrawal).destination == PayoutDestination.objects.get(user_id=user_id(refused))
    assert len(world.payouts_there()) == 2


def test_a_destination_that_took_the_last_payout_stays_in_use_until_the_end(world: EgyptWorld) -> None:
    payee = world.payee(SUCCEEDS)
    world.earned(payee)
    world.fill_budget(pounds("3000.00"))
    first = world.withdrawn(payee, pounds("100.00"))
    world.add_wallet(payee, FAILS)
    second = world.withdrawn(payee, pounds("100.00"))
    assert disbursement_of(second).destination_id == disbursement_of(first).destination_id
    assert len(world.payouts_there()) == 2


def test_a_withdrawal_that_waited_for_the_budget_goes_to_the_new_destination(world: EgyptWorld) -> None:
    payee = world.payee(FAILS)
    world.earned(payee)
    first, second = world.withdraw(payee, pounds("100.00")), world.withdraw(payee, pounds("200.00"))
    world.fill_budget(pounds("150.00"))
    first.refresh_from_db()
    assert first.state == "failed"
    added = world.add_wallet(payee, SUCCEEDS)

    world.fill_budget(pounds("3000.00"))
    world.allot()

    payout = disbursement_of(second)
    assert (payout.destination_id, payout.usable_from, payout.allotted_at) == (added.pk, added.usable_from, None)
    assert len(world.payouts_there()) == 1


def test_the_owner_reads_where_and_when_it_goes(world: EgyptWorld, refused: Actor, sign_in: SignIn) -> None:
    now = timezone.now()
    PayoutDestination.objects.update(created_at=now - timedelta(days=9), usable_from=now - timedelta(days=5))
    Disbursement.objects.update(ended_at=now)
    added = world.add_wallet(refused, SUCCEEDS)
    page = text_of(sign_in(refused).get("/wallet/withdraw/?currency=EGP"))
    assert added.masked in page
    assert "These payout details are new: a withdrawal leaves on" in page
