"""What people read about refunds where nobody paid by card: pages, notices and the back office, in both languages."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import translation

from multitask.marketplace import work
from multitask.payments.models import AuditEvent, Notice
from multitask.payments.notices import wording
from multitask.payments.reads import where
from multitask.users.actor import Actor
from multitask.web.pages.escrow import next_steps
from tests.acceptance.clients import Caller
from tests.egypt_world import COOL_DOWN, FAILS, SUCCEEDS, EgyptWorld, pounds
from tests.integration.backoffice.addresses import action
from tests.integration.pages.reading import text_of
from tests.payments_world import Job

CallAs = Callable[[Actor], Caller]
SignIn = Callable[[Actor], Client]
KEY = "00000000-0000-4000-8000-000000000001"


def paid_by(world: EgyptWorld, method: str) -> Job:
    job = world.hired(pounds("1000.00"), client=world.client())
    world.ask_to_pay(job)
    world.pay_there(job, method=method, passed=True)
    world.learn_of_payment(job)
    assert job.escrow.state == "funded"
    return job


def told(job: Job, kind: str, language: str) -> str:
    """The notice about an event of the job's escrow, in a language."""
    event = AuditEvent.objects.filter(escrow=job.escrow, event=kind).latest("pk")
    notice = Notice(user=job.escrow.client, kind=kind, escrow=job.escrow, event=event, reference="")
    with translation.override(language):
        return wording.of(notice).text


@pytest.mark.parametrize(
    ("method", "before", "after"),
    [
        ("wallet", "The money goes back the way", "went back the way"),
        ("kiosk", "The money is paid out to the payout details of", "was paid out to"),
    ],
)
def test_a_refund_is_told_the_way_it_goes(
    world: EgyptWorld, office: Client, sign_in: SignIn, call_as: CallAs, method: str, before: str, after: str
) -> None:
    job = paid_by(world, method)
    freelancer = sign_in(job.freelancer)
    sent = {"amount": "100", "reason": "agreed", "note": "We agreed", "request_key": KEY}
    asked = text_of(freelancer.post(f"/tasks/{job.task_id}/payment/refund/", sent))
    staff = text_of(office.get(action("refund", job.escrow.pk)))
    assert before in asked
    for page in (asked, staff):
        assert "the card" not in page

    world.refund(job)
    step = next_steps.of(job.escrow, job.client, job.refund)
    assert step is not None
    assert "card" not in step.text
    [row] = [each for each in where.of_escrow(job.client, job.escrow, world.now) if each.place.value == "refunding"]
    assert row.reason.value in {"refund_under_way", "refund_awaits_destination"}
    if method == "kiosk":
        world.fill_budget(pounds("2000.00"))
        world.add_wallet(job.client, SUCCEEDS)
        world.wait(COOL_DOWN)
        world.allot()
    world.work()
    assert job.refund.state == "succeeded"
    assert after in told(job, "refunded", "en")
    assert "بطاق" not in told(job, "refunded", "ar")


def test_a_refund_that_could_not_be_paid_out_says_why_and_where_to_look(world: EgyptWorld, sign_in: SignIn) -> None:
    job = paid_by(world, "kiosk")
    world.fill_budget(pounds("2000.00"))
    world.add_wallet(job.client, FAILS)
    world.wait(COOL_DOWN)
    world.refund(job)
    world.allot()
    assert job.refund.state == "failed"
    assert job.refund.failure_reason == "There is no wallet for this mobile number."
    assert "Check your payout details" in told(job, "refund_failed", "en")
    assert "بطاق" not in told(job, "refund_failed", "ar")
    step = next_steps.of(job.escrow, job.client, None)
    assert step is None or "card" not in step.text
    browser = sign_in(job.client)
    browser.cookies["django_language"] = "ar"
    page = text_of(browser.get(f"/tasks/{job.task_id}/payment/"))
    assert "لا توجد محفظة مسجلة بهذا الرقم." in page
    assert "There is no wallet" not in page


def test_nobody_is_asked_to_work_for_money_that_goes_back(world: EgyptWorld, sign_in: SignIn) -> None:
    job = paid_by(world, "kiosk")
    freelancer = sign_in(job.freelancer)
    delivery = f"/tasks/{job.task_id}/deliver/"
    assert "do the work and deliver it" in text_of(freelancer.get("/"))
    world.refund(job, amount=pounds("400.00"))
    assert delivery in freelancer.get(f"/tasks/{job.task_id}/").content.decode()

    whole = paid_by(world, "kiosk")
    world.refund(whole)
    freelancer = sign_in(whole.freelancer)
    task = freelancer.get(f"/tasks/{whole.task_id}/")
    assert f"/tasks/{whole.task_id}/deliver/" not in task.content.decode()
    assert "do the work and deliver it" not in text_of(freelancer.get("/"))
    assert "so there is nothing to earn here. Do not work on it." in text_of(task)


def test_work_that_was_delivered_before_a_refund_failed_is_not_said_to_be_released_by_itself(
    world: EgyptWorld, sign_in: SignIn
) -> None:
    job = paid_by(world, "kiosk")
    world.fill_budget(pounds("2000.00"))
    world.add_wallet(job.client, FAILS)
    world.wait(COOL_DOWN)
    work.deliver(actor=job.freelancer, task_id=job.task_id, now=world.now)
    world.refund(job, actor=job.freelancer)
    world.allot()
    assert (job.refund.state, job.escrow.auto_release_at) == ("failed", None)
    for reader in (job.client, job.freelancer):
        page = text_of(sign_in(reader).get(f"/tasks/{job.task_id}/payment/"))
        assert "released automatically" not in page
