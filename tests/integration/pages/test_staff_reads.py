"""Staff reads the customers' pages; it acts on other people's escrows in the back office, with a reason."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from multitask.payments.models import Approval, AuditEvent, Dispute, Refund
from multitask.users.actor import Actor
from tests.integration.pages.test_refund_confirmations import hidden
from tests.payments_world import Job, World, dollars

SignIn = Callable[[Actor], Client]
ACTIONS = (
    "payment-release", "payment-confirm", "payment-refund", "refund-accept", "refund-refuse", "refund-withdraw",
    "payment-dispute", "checkout-begin", "task-start", "task-deliver", "task-cancel",
)  # fmt: skip
FORM = {"amount": "10.00", "reason": "agreed", "note": "Agreed", "description": "It is late"}


def in_back_office(job: Job) -> str:
    return reverse("admin:payments_escrow_change", args=[job.escrow.pk])


@pytest.mark.parametrize("role", ["support", "finance", "admin"])
def test_nothing_on_the_page_of_an_escrow_is_for_staff(world: World, sign_in: SignIn, role: str) -> None:
    for job in (world.started(), world.delivered(), world.completed()):
        browser = sign_in(world.staff(role))
        page = browser.get(reverse("pages:payment", args=[job.task_id]))
        shown = page.content.decode()
        assert page.status_code == 200
        assert "What you can do now" not in shown
        assert f'href="{in_back_office(job)}"' in shown
        task = browser.get(reverse("pages:task", args=[job.task_id])).content.decode()
        for name in ACTIONS:
            address = reverse(f"pages:{name}", args=[job.task_id])
            assert f'action="{address}"' not in shown + task, name


@pytest.mark.parametrize("role", ["support", "finance", "admin"])
@pytest.mark.parametrize("price", ["100.00", "2500.00"])
def test_staff_is_sent_to_the_back_office_and_nothing_moves(
    world: World, sign_in: SignIn, role: str, price: str
) -> None:
    job, browser = world.completed(dollars(price)), sign_in(world.staff(role))
    before = AuditEvent.objects.count()
    for name in ACTIONS:
        answer = browser.post(reverse(f"pages:{name}", args=[job.task_id]), FORM)
        page = answer.content.decode()
        assert answer.status_code == 403, name
        assert f'href="{in_back_office(job)}"' in page
        assert "on its way" not in page
    assert (job.escrow.state, AuditEvent.objects.count()) == ("funded", before)
    assert not Refund.objects.exists()
    assert not Approval.objects.exists()
    assert not Dispute.objects.exists()


def test_a_request_for_a_refund_is_answered_by_its_sides_only(world: World, sign_in: SignIn) -> None:
    job, browser = world.started(), sign_in(world.staff())
    world.refund(job)
    for name in ("refund-accept", "refund-refuse", "refund-withdraw"):
        assert browser.post(reverse(f"pages:{name}", args=[job.task_id]), FORM).status_code == 403
    assert job.refund.state == "requested"


def test_staff_acts_on_an_escrow_of_their_own_like_everybody(world: World, sign_in: SignIn) -> None:
    finance = world.staff("finance", is_freelancer=True)
    world.onboard(finance)
    job = world.started(freelancer=finance)
    browser = sign_in(finance)
    page = browser.get(reverse("pages:payment", args=[job.task_id])).content.decode()
    assert "What you can do now" in page
    assert in_back_office(job) not in page
    address = reverse("pages:payment-refund", args=[job.task_id])
    shown = browser.post(address, FORM)
    assert browser.post(address, hidden(shown)).status_code == 302
    assert job.refund.amount_minor == 1_000
