"""Reconciliation in the back office: what differs, what is open, and its explanation by two people."""

from collections.abc import Callable

import pytest
from django.test import Client

from multitask.payments.models import Approval
from multitask.users.actor import Actor
from tests.integration.backoffice import addresses, scenes
from tests.integration.backoffice.test_pages import read
from tests.payments_world import World, dollars, held

REASON = "The provider charged for a lost card reader."


def test_the_overview_says_since_when_the_books_are_equal(world: World, office: Client) -> None:
    assert "The books have not been compared with the provider" in read(office, "/backoffice/")
    scenes.open_line(world)
    scenes.compared(world, missing=dollars("0"))

    page = read(office, "/backoffice/")

    assert "The books equal the provider's as of" in page
    assert "Statement lines to explain" in page


@pytest.mark.breaks_the_books
def test_the_overview_says_what_differs(world: World, office: Client) -> None:
    scenes.open_line(world)
    scenes.compared(world, missing=dollars("0.07"))

    page = read(office, "/backoffice/")

    assert "The books differ from the provider's:" in page
    assert "The platform at stripe: by $0.07" in page
    assert "Accounts that differ from the provider" in page
    listed = read(office, "/backoffice/payments/reconciliation/?waits=different")
    assert "differs by $0.07" in listed


def test_the_list_shows_both_sides_and_the_open_lines(world: World, office: Client) -> None:
    line = scenes.open_line(world)
    scenes.open_line(world, dollars("5.00"))
    scenes.compared(world, missing=dollars("0"))

    page = read(office, "/backoffice/payments/reconciliation/")

    assert "The platform at stripe" in page
    assert "2, in suspense −$7.34" in page
    lines = read(office, f"/backoffice/payments/statementline/?account={line.account_id}&state=open")
    assert lines.count('class="data-row') == 2
    assert read(office, "/backoffice/payments/statementline/?account=1&state=matched").count('class="data-row') == 0


def test_a_line_is_explained_by_two_people(world: World, office: Client, browser: Callable[[Actor], Client]) -> None:
    line = scenes.open_line(world)
    page = read(office, addresses.change(line))
    assert "Adjustment by the provider" in page
    assert addresses.action("explain-line", line.pk) in page

    form = {"explanation": "processing_cost", "note": REASON}
    answer = office.post(addresses.action("explain-line", line.pk), form, follow=True)

    assert "Nothing moves until a second person has approved it." in answer.content.decode()
    approval = Approval.objects.get()
    waiting = read(office, addresses.change(line))
    assert "waits for a second person" in waiting
    assert addresses.action("explain-line", line.pk) not in waiting
    assert "Explanation of a statement line" in read(office, "/backoffice/payments/approval/")

    colleague = browser(world.staff())
    answer = colleague.post(addresses.action("approve", approval.pk), {"note": "I saw the invoice."}, follow=True)

    assert answer.redirect_chain[-1][0] == addresses.change(line)
    page = answer.content.decode()
    assert "Explained" in page
    assert REASON in page
    assert (held("suspense:stripe"), held("platform:processing_costs")) == (0, -1_234)


def test_the_first_person_cannot_approve(world: World, office: Client) -> None:
    line = scenes.open_line(world)
    office.post(addresses.action("explain-line", line.pk), {"explanation": "exchange", "note": REASON})

    answer = office.post(addresses.action("approve", Approval.objects.get().pk), {"note": "It is mine."})

    assert answer.status_code == 409
    assert held("suspense:stripe") == -1_234
