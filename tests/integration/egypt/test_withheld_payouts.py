"""Waiting payouts that must not be sent any more, and what becomes of their money."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from multitask.payments import staff_commands
from multitask.payments.errors import Forbidden
from multitask.payments.models import AuditEvent, Disbursement, PayeeIdentity, Withdrawal
from multitask.payments.payouts import destinations, identity, withdrawal_cancellation
from multitask.payments.reads import wallet_views, where
from multitask.users.actor import Actor
from multitask.web.backoffice import work_queue
from tests.acceptance.clients import Caller
from tests.egypt_world import COOL_DOWN, EgyptWorld, disbursement_of, pounds
from tests.integration.backoffice.addresses import action, change
from tests.integration.pages.reading import text_of
from tests.payments_world import held, user_id

CallAs = Callable[[Actor], Caller]
SignIn = Callable[[Actor], Client]


def test_a_withdrawal_to_a_destination_that_was_removed_in_its_cool_down_is_called_off(world: EgyptWorld) -> None:
    payee = world.freelancer(onboarded=False)
    world.earned(payee)
    world.identify(payee)
    foreign = world.add_wallet(payee, "01000000001")
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    destinations.remove(actor=payee, destination_id=foreign.public_id, proof=world.proof(), now=world.now)

    world.allot()

    withdrawal.refresh_from_db()
    assert (withdrawal.state, held(f"user:{user_id(payee)}:available", "EGP")) == ("cancelled", 85_000)
    assert AuditEvent.objects.filter(event="withdrawal_cancelled", user_id=user_id(payee)).count() == 1
    assert called_off_because() == ("destination_removed", "The destination was removed.")
    world.wait(COOL_DOWN)
    world.allot()
    assert world.payouts_there() == []


def called_off_because() -> tuple[str, str]:
    """The part of the system that called the withdrawal off, and its reason."""
    event = AuditEvent.objects.get(event="withdrawal_called_off")
    return event.actor_label, event.note


def test_a_withdrawal_to_a_destination_that_was_corrected_in_its_cool_down_is_called_off(world: EgyptWorld) -> None:
    payee = world.freelancer(onboarded=False)
    world.earned(payee)
    world.identify(payee)
    world.add_wallet(payee, "01000000005")
    world.fill_budget(pounds("2000.00"))
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    world.wait(hours=1)
    corrected = world.add_wallet(payee, "01000000001")

    world.allot()

    withdrawal.refresh_from_db()
    assert (withdrawal.state, held(f"user:{user_id(payee)}:available", "EGP")) == ("cancelled", 85_000)
    assert called_off_because() == ("destination_replaced", "The destination was replaced.")
    again = world.withdrawn(payee, pounds("850.00"))
    assert disbursement_of(again).destination == corrected


def test_a_withdrawal_that_waits_for_the_budget_does_not_go_to_a_destination_that_was_removed(
    world: EgyptWorld,
) -> None:
    payee = world.payee()
    world.earned(payee)
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    lost = Disbursement.objects.get().destination
    assert lost.is_in_use(world.now)
    destinations.remove(actor=payee, destination_id=lost.public_id, proof=world.proof(), now=world.now)
    world.fill_budget(pounds("2000.00"))

    world.allot()

    withdrawal.refresh_from_db()
    assert (withdrawal.state, held(f"user:{user_id(payee)}:available", "EGP")) == ("cancelled", 85_000)
    assert world.payouts_there() == []


def test_a_withdrawal_that_waits_for_the_budget_goes_to_a_destination_that_was_replaced(world: EgyptWorld) -> None:
    payee = world.payee()
    world.earned(payee)
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    world.add_wallet(payee, "01000000005")
    world.wait(COOL_DOWN)
    world.fill_budget(pounds("2000.00"))

    world.allot()

    withdrawal.refresh_from_db()
    assert withdrawal.state in {"processing", "completed"}
    assert len(world.payouts_there()) == 1


def test_a_refund_goes_to_the_destination_that_takes_the_place_of_a_removed_one(world: EgyptWorld) -> None:
    client = world.client()
    job = world.hired(pounds("1000.00"), client=client)
    world.ask_to_pay(job)
    world.pay_there(job, method="kiosk", passed=True)
    world.learn_of_payment(job)
    world.fill_budget(pounds("2000.00"))
    world.refund(job)
    foreign = world.add_wallet(client, "01000000002")
    world.allot()
    destinations.remove(actor=client, destination_id=foreign.public_id, proof=world.proof(), now=world.now)
    world.wait(COOL_DOWN)
    world.allot()
    assert world.payouts_there() == []

    own = world.add_wallet(client, "01000000001")
    world.wait(COOL_DOWN)
    world.allot()
    world.allot()

    assert (Disbursement.objects.get().destination_id, job.refund.state) == (own.pk, "succeeded")


@pytest.fixture
def closed(world: EgyptWorld) -> Withdrawal:
    """A withdrawal that the budget would cover, whose owner's user was closed."""
    payee = world.payee()
    world.earned(payee)
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    staff_commands.set_active(
        actor=world.staff("admin"), user_id=user_id(payee), is_active=False, note="Taken over", now=world.now
    )
    world.fill_budget(pounds("2000.00"))
    world.allot()
    return withdrawal


def test_nothing_is_paid_to_a_closed_user_until_it_is_open_again(world: EgyptWorld, closed: Withdrawal) -> None:
    closed.refresh_from_db()
    assert (closed.state, world.payouts_there()) == ("pending", [])
    assert held(f"user:{closed.user_id}:withdrawing", "EGP") == 85_000
    assert list(work_queue.withheld_payouts(world.now)) == [disbursement_of(closed)]
    assert not work_queue.waiting_payouts(world.now).exists()

    staff_commands.set_active(
        actor=world.staff("admin"), user_id=closed.user_id, is_active=True, note="Theirs", now=world.now
    )
    world.allot()
    closed.refresh_from_db()
    assert closed.state == "completed"
    assert not work_queue.withheld_payouts(world.now).exists()


def test_a_withheld_withdrawal_says_so_to_its_owner_and_why_to_the_staff(
    world: EgyptWorld, office: Client, call_as: CallAs, sign_in: SignIn
) -> None:
    payee = world.payee()
    world.earned(payee)
    withdrawal = world.withdrawn(payee, pounds("850.00"))
    # The clock of this test is ahead of the pages'.
    Disbursement.objects.update(usable_from=timezone.now() - timedelta(hours=1))
    support = world.staff("support")
    identity_id = PayeeIdentity.objects.get(replaced_at=None).pk
    identity.reject(actor=support, identity_id=identity_id, note="Another person's document", now=world.now)

    listed = call_as(payee).get("/payments/withdrawals/").json["results"][0]
    assert (listed["waiting_reason"], listed["waits_until"]) == ("awaits_review", None)
    rows = wallet_views.read(user_id=user_id(payee), default_currency="EGP", now=world.now)[0].where
    assert [(row.reason.value, row.depends_on) for row in rows if row.place.value == "withdrawing"] == [
        ("awaits_review", where.Party.STAFF)
    ]
    told = text_of(sign_in(payee).get(f"/wallet/withdrawals/{withdrawal.public_id}/"))
    assert "Our staff checks this withdrawal before it leaves." in told
    assert "topped up" not in told
    for page in (disbursement_of(withdrawal), withdrawal):
        assert "identity was rejected" in text_of(office.get(change(page)))


def test_finance_calls_a_waiting_withdrawal_off(
    world: EgyptWorld, closed: Withdrawal, finance: Actor, office: Client
) -> None:
    with pytest.raises(Forbidden):
        withdrawal_cancellation.call_off(actor=world.staff("support"), withdrawal_id=closed.pk, now=world.now)
    payout = disbursement_of(closed)
    assert "Call it off" in text_of(office.get(change(payout)))
    sent = {"request_key": "00000000-0000-4000-8000-000000000001", "note": "Taken over"}
    office.post(action("call-off-withdrawal", payout.pk), sent, follow=True)

    closed.refresh_from_db()
    assert (closed.state, held(f"user:{closed.user_id}:available", "EGP")) == ("cancelled", 85_000)
    event = AuditEvent.objects.get(event="withdrawal_called_off")
    assert (event.actor_id, event.note) == (finance.user_id, "Taken over")
    again = withdrawal_cancellation.call_off(actor=finance, withdrawal_id=closed.pk, now=world.now)
    assert again.state == "cancelled"
