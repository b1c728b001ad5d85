"""Access: support reads, finance acts, admin manages the staff, everybody else gets 404."""

from collections.abc import Callable

import pytest
from django.test import Client

from multitask.money import Money
from multitask.payments import staff_commands
from multitask.payments.escrow import disputes
from multitask.payments.models import AuditEvent, Disbursement, PayoutBudget, Refund
from multitask.payments.payouts import budget_records
from multitask.users.actor import Actor
from multitask.users.models import User
from tests import staff
from tests.integration.backoffice import addresses, scenes
from tests.integration.backoffice.addresses import ACTIONS
from tests.integration.destinations import payees
from tests.payments_world import World, dollars, user_id

Browser = Callable[[Actor], Client]


@pytest.fixture
def everything(world: World) -> None:
    """Something of each kind: an escrow in dispute, a large settlement that waits, a failed payout and refund."""
    _job, dispute = scenes.disputed(world, scenes.LARGE)
    disputes.settle(
        actor=world.staff(), dispute_id=dispute.pk, client_amount=scenes.LARGE, freelancer_amount=dollars("0"),
        note="Nothing was delivered", now=world.now,
    )  # fmt: skip
    scenes.failed_withdrawal(world)
    scenes.failed_refund(world)
    scenes.reversal_and_debt(world)
    scenes.evidence_file(world)
    scenes.suspected(world)
    scenes.event(world)
    scenes.open_line(world)
    mona = payees.payee()
    payees.submit(mona)
    destination = payees.add(mona)
    PayoutBudget.objects.create(provider="paymob", currency="EGP")
    Disbursement.objects.create(
        provider="paymob", currency="EGP", amount_minor=100, refund=Refund.objects.latest("pk"),
        destination=destination, usable_from=world.now, created_at=world.now, ended_at=world.now,
    )  # fmt: skip
    budget_records.top_up(
        actor=world.staff(), provider="paymob", amount=Money(100, "EGP"), happened_on=world.now.date(),
        reference="T-1", now=world.now,
    )  # fmt: skip


@pytest.mark.usefixtures("everything")
def test_every_page_for_every_role(world: World, browser: Browser) -> None:
    seen = [*addresses.FIXED, *addresses.lists(), *addresses.rows()]
    assert len(addresses.rows()) >= 12
    for role in ("support", "finance", "admin"):
        inside = browser(world.staff(role))
        for address in seen:
            answer = inside.get(address)
            assert answer.status_code == 200 or answer["Location"].startswith("/backoffice/"), (role, address)
    for outsider in (world.client(), world.freelancer(onboarded=False)):
        outside = browser(outsider)
        assert {outside.get(address).status_code for address in seen} == {404}
    for address in seen:
        answer = Client().get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sign-in/?next=/backoffice/")


@pytest.mark.usefixtures("everything")
def test_every_action_for_every_role(world: World, browser: Browser) -> None:
    actions = addresses.actions()
    assert actions.keys() == ACTIONS.keys()
    may = {
        "support": {name for name, (_model, role) in ACTIONS.items() if role == "support"},
        "finance": {name for name, (_model, role) in ACTIONS.items() if role in {"support", "finance"}},
        "admin": set(ACTIONS),
    }
    for role, allowed in may.items():
        inside = browser(world.staff(role))
        for name, address in actions.items():
            expected = 200 if name in allowed else 403
            assert inside.get(address).status_code == expected, (role, name)
            # A form without a reason does nothing, whoever sends it.
            assert inside.post(address).status_code == (422 if name in allowed else 403), (role, name)
    outside = browser(world.client())
    assert {outside.post(address, {"note": "Me"}).status_code for address in actions.values()} == {404}
    assert {Client().post(address, {"note": "Me"}).status_code for address in actions.values()} == {302}


def test_support_is_offered_nothing_to_do(world: World, browser: Browser) -> None:
    job = world.funded()
    page = browser(world.staff("support")).get(addresses.change(job.escrow)).content.decode()
    assert "/backoffice/do/" not in page
    refused = browser(world.staff("support")).post(addresses.action("release", job.escrow.pk), {"note": "Now"})
    assert "it moves no money" in refused.content.decode()
    assert job.escrow.state == "funded"


def test_a_role_that_is_taken_away_stops_at_the_next_click(world: World, browser: Browser) -> None:
    finance, admin = world.staff("finance"), world.staff("admin")
    inside = browser(finance)
    job = world.funded()
    assert inside.get("/backoffice/").status_code == 200
    assert finance.user_id is not None
    staff_commands.set_staff_role(actor=admin, user_id=finance.user_id, staff_role="", note="Left", now=world.now)
    assert inside.get("/backoffice/").status_code == 404
    assert inside.post(addresses.action("release", job.escrow.pk), {"note": "Still here"}).status_code == 404
    assert job.escrow.state == "funded"


def test_a_smaller_role_can_do_less_at_the_next_click(world: World, browser: Browser) -> None:
    finance = world.staff("finance")
    inside = browser(finance)
    job = world.funded()
    assert inside.get(addresses.action("release", job.escrow.pk)).status_code == 200
    User.objects.filter(pk=user_id(finance)).update(staff_role="support")
    assert inside.post(addresses.action("release", job.escrow.pk), {"note": "Now"}).status_code == 403
    assert inside.get(addresses.change(job.escrow)).status_code == 200


def test_a_closed_account_is_outside(world: World, browser: Browser) -> None:
    finance = world.staff("finance")
    inside = browser(finance)
    User.objects.filter(pk=user_id(finance)).update(is_active=False)
    assert inside.get("/backoffice/").status_code == 302


def test_staff_signs_in_where_everybody_does_and_comes_back(world: World) -> None:
    user = User.objects.create_user(
        "boss", "boss@example.com", "a long enough passphrase", staff_role="support", is_staff=True
    )
    wanted = "/backoffice/payments/escrow/?state=funded"
    visitor = Client()
    asked = visitor.get(wanted)
    assert asked["Location"].startswith("/sign-in/?next=/backoffice/payments/escrow/")
    signed_in = visitor.post(
        asked["Location"], {"identifier": user.username, "password": "a long enough passphrase", "next": wanted}
    )
    assert signed_in["Location"] == wanted
    assert visitor.get(wanted)["Location"].startswith("/security/?next=")
    staff.prove(visitor, user)
    assert visitor.get(wanted).status_code == 200
    assert visitor.get("/backoffice/login/?next=/backoffice/")["Location"].startswith("/sign-in/")
    assert visitor.get("/backoffice/logout/").status_code == 405
    assert visitor.post("/backoffice/logout/").status_code == 302
    assert visitor.get("/backoffice/").status_code == 302


@pytest.mark.usefixtures("everything")
def test_nothing_can_be_edited_added_or_deleted(world: World, browser: Browser) -> None:
    inside = browser(world.staff("admin"))
    before = AuditEvent.objects.count()
    for address in [*addresses.rows(), *addresses.lists()]:
        assert inside.post(address, {"action": "delete_selected", "_selected_action": "1"}).status_code == 405
    for address in addresses.lists():
        for beyond in ("add/", "1/delete/", "1/history/", "autocomplete/"):
            assert inside.get(address + beyond).status_code == 404
    pages = [inside.get(address, follow=True).content.decode() for address in addresses.rows()]
    # The frame signs out and searches; no page of a row has a form that writes.
    assert all(page.count('method="post"') == 1 and 'id="logout-form"' in page for page in pages)
    assert AuditEvent.objects.count() == before


def test_what_does_not_exist_is_not_found(office: Client) -> None:
    for address in addresses.lists():
        for key in ("0", "999999999", "99999999999999999999999", "nothing", "00000000-0000-0000-0000-000000000000"):
            assert office.get(f"{address}{key}/change/").status_code == 404, address
    for name in ACTIONS:
        assert office.get(addresses.action(name, 999_999_999)).status_code in {403, 404}
        assert office.get(f"/backoffice/do/{name}/99999999999999999999999/").status_code in {403, 404}
    assert office.get("/backoffice/do/release/").status_code == 404
    assert office.get("/backoffice/do/delete-everything/1/").status_code == 404
    assert office.get("/backoffice/nothing/").status_code == 404
    assert office.get("/backoffice/payments/").status_code == 302


def test_only_the_back_office_compiles_scripts_from_attributes(office: Client) -> None:
    policy = office.get("/backoffice/")["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "unsafe-inline" not in policy
    assert "http" not in policy
    assert "unsafe-eval" not in office.get("/wallet/")["Content-Security-Policy"]
    assert "unsafe-eval" not in office.get("/")["Content-Security-Policy"]


def test_pages_are_kept_by_no_cache_and_hold_nothing_inline(world: World, office: Client) -> None:
    job = world.funded()
    for address in ("/backoffice/", addresses.change(job.escrow), addresses.lists()[0]):
        answer = office.get(address)
        page = answer.content.decode()
        assert answer["Cache-Control"] == "no-store"
        assert "<style" not in page
        assert ' style="' not in page
        assert "onclick=" not in page
        assert not [line for line in page.splitlines() if "<script>" in line]
        assert "//cdn" not in page
        assert "https://" not in page
