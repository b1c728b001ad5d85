"""The content of the pages, and that their cost does not depend on the number of rows."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from multitask.payments.escrow import disputes
from multitask.payments.models import AuditEvent
from multitask.users.actor import Actor
from multitask.webhooks.models import EventState
from tests.integration.backoffice import addresses, scenes
from tests.payments_world import CONTESTED, World, dollars

# One of them asks which second factor is behind the session.
MOST_STATEMENTS = 15


def read(office: Client, address: str, *, most: int = MOST_STATEMENTS) -> str:
    """Read a page with few statements."""
    with CaptureQueriesContext(
        connection,
    ) as statements:
        answer = office.get(address)
    assert answer.status_code == 200
    told = "\n".join(each["sql"][:150] for each in statements.captured_queries)
    assert len(statements) <= most, f"{address}: {len(statements)} statements\n{told}"
    return answer.content.decode()


def test_home_without_anything(office: Client) -> None:
    page = read(office, "/backoffice/")
    assert "Nothing needs attention." in page
    assert "$0.00" in page


def test_home_shows_money_and_what_waits(world: World, office: Client) -> None:
    world.funded(dollars("250.00"))
    world.released()
    scenes.failed_refund(world)
    scenes.refused_transfer(world)
    scenes.payment_under_review(world)
    scenes.disputed(world)
    scenes.failed_withdrawal(world)
    scenes.stuck_transfer(world)
    scenes.event(world)
    scenes.event(world, state=EventState.QUARANTINED)
    scenes.event(world, state=EventState.RECEIVED)
    page = read(office, "/backoffice/")
    # 250 funded, 100 whose refund failed, 100 in dispute.
    assert "$450.00" in page
    assert "in 3 escrows" in page
    for waits in (
        "Refunds that failed", "Transfers that were refused", "Payments under review", "Disputes to settle",
        "Calls at the provider that are stuck", "Webhooks given up", "Webhooks in quarantine",
        "Webhooks waiting too long",
    ):  # fmt: skip
        assert waits in page, waits
    # Four escrows were released, for 100 each.
    assert "$400.00" in page
    assert "$60.00" in page
    assert 'class="curve"' in page


def test_the_lists_of_the_home_page_show_what_it_counts(world: World, office: Client) -> None:
    refund = scenes.failed_refund(world).refund
    transfer = scenes.refused_transfer(world)[0].transfer
    review = scenes.payment_under_review(world).payment
    world.released()
    for address, row in (
        ("/backoffice/payments/refund/?waits=failed", refund),
        ("/backoffice/payments/operation/?waits=refused_transfers", transfer),
        ("/backoffice/payments/payment/?waits=review", review),
    ):
        page = read(office, address)
        assert page.count('class="data-row') == 1
        assert f'href="{addresses.change(row)}' in page


def test_lists_of_many_cost_as_much_as_lists_of_few(world: World, office: Client) -> None:
    for _ in range(3):
        world.released()
    for address in addresses.lists():
        with CaptureQueriesContext(connection) as statements:
            assert office.get(address).status_code == 200
        # The receivables stand below what was paid out ahead, which is read of its own.
        assert len(statements) <= (7 if "/receivable/" in address else 6), address


def test_filters_take_only_what_they_know(world: World, office: Client) -> None:
    world.funded()
    assert read(office, "/backoffice/payments/escrow/?state=funded").count('class="data-row') == 1
    assert "There is nothing here." in read(office, "/backoffice/payments/escrow/?state=released")
    for query in ("state=nothing", "state=%00", "p=99", "p=x", "o=1.2", "waits=x", "_popup=1", "e=1"):
        assert office.get(f"/backoffice/payments/escrow/?{query}", follow=True).status_code == 200


def test_an_escrow_from_end_to_end(world: World, office: Client) -> None:
    job = world.settled()
    withdrawal = world.withdrawn(job.freelancer, dollars("50.00"))
    world.hear()
    page = read(office, addresses.change(job.escrow))
    for part in (
        "Platform fee",
        "On its way to the freelancer",
        "Available to the freelancer",
        "The client began to pay",
    ):
        assert part in page
    record = read(office, addresses.change(job.escrow, "?part=record"))
    for key in ("received", "fee"):
        assert f"payment:{job.payment.pk}:{key}" in record
    for key in ("released", "transferred", "settled"):
        assert f"escrow:{job.escrow.pk}:{key}" in record
    assert f"create_transfer:{job.escrow.pk}:1:1" in record
    assert "charge.succeeded" in record
    assert "transfer.created" in record
    paid = read(office, addresses.change(withdrawal))
    assert "On its way from the provider to the bank." in paid
    assert f"withdrawal:{withdrawal.pk}:requested" in paid
    assert "payout.created" in paid


def test_an_escrow_in_the_worst_case(world: World, office: Client) -> None:
    job = world.delivered(scenes.LARGE, card=CONTESTED)
    scenes.refund_of(world, job, dollars("10.00"))
    dispute = disputes.open_dispute(
        actor=job.client, escrow_id=job.escrow.pk, reason="A square <b>logo</b>", now=world.now
    )
    disputes.settle(
        actor=world.staff(), dispute_id=dispute.pk, client_amount=dollars("1500.00"),
        freelancer_amount=dollars("1000.00"), note="Split", now=world.now,
    )  # fmt: skip
    world.hear()
    page = read(office, addresses.change(job.escrow))
    assert "Held by a chargeback" in page
    assert "A square &lt;b&gt;logo&lt;/b&gt;" in page
    assert addresses.action("settle", dispute.pk) not in page


def test_a_failed_withdrawal_says_why_and_where_the_money_is(world: World, office: Client) -> None:
    _freelancer, withdrawal = scenes.failed_withdrawal(world)
    page = read(office, addresses.change(withdrawal))
    assert "The bank account has been closed." in page
    assert "available again" in page


def test_a_person(world: World, office: Client) -> None:
    job = world.settled()
    for actor in (job.client, job.freelancer):
        page = read(office, f"/backoffice/users/user/{actor.user_id}/change/")
        assert addresses.change(job.escrow) in page
    assert "$85.00" in page


def test_a_call_and_a_webhook(world: World, office: Client) -> None:
    job = scenes.stuck_transfer(world)
    page = read(office, addresses.change(job.transfer))
    assert "No answer yet" in page
    assert "&quot;amount_minor&quot;: 8500" in page
    event = scenes.event(world, object_id=str(job.payment.provider_payment_id))
    page = read(office, addresses.change(event))
    assert "unknown_object: pi_x" in page
    assert "pi_1_secret_9" not in page
    assert event.event_id in read(office, addresses.change(job.escrow, "?part=record"))


def test_books_and_trail_are_read_only_pages(world: World, office: Client) -> None:
    world.released()
    for address in addresses.rows():
        if "/ledger/" in address or "/auditevent/" in address:
            shown = read(office, address).split("o-stack")[1].split("modal-overlay")[0]
            assert "<input" not in shown
            assert "<form" not in shown


def test_a_payout_account(world: World, office: Client) -> None:
    job = world.completed(freelancer=world.freelancer(onboarded=False))
    world.create_account(job.freelancer)
    world.release(job)
    world.work()
    page = read(office, addresses.change(world.account(job.freelancer)))
    assert "Not ready" in page
    assert "Waits until the freelancer&#x27;s payout account can receive money" in page


def test_arabic_is_right_to_left(world: World, office: Client) -> None:
    job = world.funded()
    office.cookies["django_language"] = "ar"
    page = office.get(addresses.change(job.escrow)).content.decode()
    assert 'dir="rtl"' in page


@pytest.mark.parametrize("days", [0, 400])
def test_home_with_old_and_new_money(world: World, office: Client, days: int) -> None:
    world.wait(timedelta(days=days))
    world.funded()
    assert "$100.00" in read(office, "/backoffice/")


def test_the_trail_says_who_from_where(world: World, browser: Callable[[Actor], Client]) -> None:
    finance = world.staff()
    inside = browser(finance)
    job = world.funded()
    inside.post(addresses.action("release", job.escrow.pk), {"note": "By phone"}, REMOTE_ADDR="198.51.100.9")
    page = read(inside, addresses.change(AuditEvent.objects.get(event="released")))
    assert "By phone" in page
    assert "198.51.100.9" in page
    assert finance.label in page
