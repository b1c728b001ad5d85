"""Money that may not be held much longer, and money of tasks that were called off, in the queue and in the lists."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from multitask.marketplace import work
from multitask.payments.models import Escrow, Milestone
from multitask.payments.payouts import withdrawal_cancellation
from multitask.users.actor import Actor
from tests.integration.backoffice.test_pages import read
from tests.integration.pages.reading import text_of
from tests.payments_world import Job, World, dollars

LIST = "/backoffice/payments/escrow/"


def stranded(world: World, days: int) -> Job:
    """A task that was called off so many days ago, with its money in escrow."""
    job = world.funded()
    work.cancel(actor=job.freelancer, task_id=job.task_id, now=world.now)
    Milestone.objects.filter(escrows=job.escrow).update(cancelled_at=timezone.now() - timedelta(days=days))
    return job


def test_the_queue_and_the_list_show_stranded_money_with_its_age(world: World, office: Client) -> None:
    assert "Money of tasks that were called off" not in read(office, "/backoffice/")
    job, other = stranded(world, 12), world.funded()
    assert "Money of tasks that were called off" in read(office, "/backoffice/")
    page = text_of(office.get(f"{LIST}?waits=stranded"))
    assert f"{job.escrow.pk} Draw a logo" in page
    assert "2 weeks ago" in page
    assert f"{other.escrow.pk} Draw a logo" not in page


def test_the_queue_and_the_list_show_how_long_money_may_be_held(world: World, office: Client) -> None:
    job, other = world.funded(), world.funded()
    assert "Money that may not be held much longer" not in read(office, "/backoffice/")
    Escrow.objects.filter(pk=job.escrow.pk).update(hold_until_at=timezone.now() + timedelta(days=6))
    assert "Money that may not be held much longer" in read(office, "/backoffice/")
    page = text_of(office.get(f"{LIST}?waits=hold"))
    assert f"{job.escrow.pk} Draw a logo" in page
    assert f"{other.escrow.pk} Draw a logo" not in page
    assert "May be held until" in text_of(office.get(f"{LIST}{job.escrow.pk}/change/"))


def test_the_list_costs_the_same_however_many_there_are(world: World, office: Client) -> None:
    for _ in range(4):
        stranded(world, 3)
    read(office, f"{LIST}?waits=stranded")
    read(office, LIST)


def test_a_cancelled_withdrawal_is_shown_with_both_its_calls(world: World, office: Client) -> None:
    withdrawal = world.withdrawn(world.settled().freelancer, dollars("85.00"))
    owner = Actor.of(withdrawal.user)
    withdrawal_cancellation.cancel(actor=owner, withdrawal_id=withdrawal.pk, now=world.now)
    page = text_of(office.get(f"/backoffice/payments/withdrawal/{withdrawal.pk}/change/"))
    for words in ("Cancelled", "Pay out to the bank", "Cancel the payout", "The withdrawal was cancelled"):
        assert words in page
    assert "Cancelled" in text_of(office.get("/backoffice/payments/withdrawal/?state=cancelled"))
