"""Refunds after the release, reversals, receivables and adjustments in the back office."""

import uuid

from django.test import Client

from multitask.payments.losses import adjustments, late_refunds
from multitask.payments.models import Adjustment, Approval, Loss, Receivable, Refund, Reversal
from multitask.users.actor import Actor
from multitask.users.models import User
from tests.integration.backoffice import addresses
from tests.integration.backoffice.test_actions import WHY, audited, do, told
from tests.payments_world import Job, World, dollars, user_id


def approve(world: World, browser: Client, approval: Approval) -> None:
    """A colleague approves what was asked for."""
    Approval.objects.filter(pk=approval.pk).update(requested_by_id=world.staff().user_id)
    do(browser, "approve", approval.pk)
    world.work()


def test_the_whole_of_a_release_is_refunded_after_its_preview(world: World, finance: Actor, office: Client) -> None:
    job = world.settled()
    page = told(office, addresses.action("refund-released", job.escrow.pk))
    assert "$85.00 is taken back from" in page
    assert "$15.00 of its fee is given back by the platform." in page
    do(office, "refund-released", job.escrow.pk, reason="agreed", previewed="0-8500-1500-0-0")
    assert job.refund.source == "released"
    audited("late_refund_started", finance)
    page = told(office, addresses.change(job.escrow))
    assert "$85.00 is taken back from" in page


def test_who_bears_a_part_is_shown_before_it_is_refunded(world: World, office: Client) -> None:
    job = world.settled()
    address = addresses.action("refund-released", job.escrow.pk)
    form = {"note": WHY, "reason": "agreed", "amount": "40.00", "request_key": str(uuid.uuid4())}
    asked = office.post(address, form | {"previewed": "0-8500-1500-0-0"})
    assert asked.status_code == 422
    assert "$34.00 is taken back from" in asked.content.decode()
    assert 'value="0-3400-600-0-0"' in asked.content.decode()
    assert not Refund.objects.exists()
    assert office.post(address, form | {"previewed": "0-3400-600-0-0"}).status_code == 302
    assert Loss.objects.get().payee_minor == 3_400


def test_no_more_than_was_released_is_refunded(world: World, office: Client) -> None:
    job = world.settled()
    form = {"note": WHY, "reason": "agreed", "amount": "100.01", "request_key": str(uuid.uuid4())}
    assert office.post(addresses.action("refund-released", job.escrow.pk), form).status_code == 422
    assert not Refund.objects.exists()


def test_a_large_refund_after_the_release_waits_for_a_second_person(world: World, office: Client) -> None:
    job = world.settled(dollars("2000.00"))
    do(office, "refund-released", job.escrow.pk, reason="agreed", previewed="0-170000-30000-0-0")
    waiting = Approval.objects.get()
    assert not Refund.objects.exists()
    page = told(office, addresses.listing(Approval))
    assert "Refund after the release" in page
    assert "$2,000.00" in page
    approve(world, office, waiting)
    assert Loss.objects.get().amount_minor == 200_000


def failed(world: World) -> Job:
    job = world.released()
    job_refund = _give_back(world, job)
    world.sandbox.control("POST", f"refunds/{job_refund.provider_refund_id}/fail")
    world.learn_of_refund(job_refund)
    return job


def _give_back(world: World, job: Job) -> Refund:
    made = late_refunds.refund(
        actor=job.freelancer, escrow_id=job.escrow.pk, amount=None, reason="agreed", now=world.now
    )
    assert isinstance(made, Refund)
    world.work()
    return world.learn_of_refund(made)


def test_a_failed_refund_after_the_release_is_given_up(world: World, finance: Actor, office: Client) -> None:
    job = failed(world)
    assert "Failed, not tried again" in told(office, addresses.listing(Refund))
    page = told(office, addresses.change(job.escrow))
    assert addresses.action("give-up-refund", job.refund.pk) in page
    assert addresses.action("retry-refund", job.refund.pk) in page
    do(office, "give-up-refund", job.refund.pk)
    world.work()
    audited("late_refund_given_up", finance)
    assert world.wallet(job.freelancer).pending == dollars("85.00")


def test_a_failed_refund_after_the_release_is_retried_and_can_be_given_up_then(world: World, office: Client) -> None:
    job = failed(world)
    do(office, "retry-refund", job.refund.pk)
    world.work()
    world.learn_of_refund(job.refund)
    assert (job.refund.state, job.refund.source) == ("succeeded", "released")
    world.sandbox.control("POST", f"refunds/{job.refund.provider_refund_id}/fail")
    world.learn_of_refund(job.refund)
    do(office, "give-up-refund", job.refund.pk)
    world.work()
    assert world.wallet(job.freelancer).pending == dollars("85.00")
    assert world.wallet(job.freelancer).lifetime_earnings == dollars("85.00")


def reversed_at_the_provider(world: World) -> Job:
    job = world.settled()
    world.at_provider(f"transfers/{job.transfer.provider_reference}/reversals", amount="5000")
    world.hear()
    return job


def test_a_reversal_made_at_the_provider_waits_in_the_work_queue(world: World, finance: Actor, office: Client) -> None:
    job = reversed_at_the_provider(world)
    assert "Reversals to decide about" in told(office, "/backoffice/")
    reversal = Reversal.objects.get()
    assert "made at the payment provider" in told(office, addresses.listing(Reversal))
    assert addresses.action("transfer-again", reversal.pk) in told(office, addresses.change(job.escrow))
    do(office, "transfer-again", reversal.pk)
    world.work()
    audited("reversal_transfer_again", finance)
    assert world.wallet(job.freelancer).available == dollars("85.00")
    assert "Reversals to decide about" not in told(office, "/backoffice/")


def test_a_reversal_made_at_the_provider_can_be_refunded(world: World, finance: Actor, office: Client) -> None:
    job = reversed_at_the_provider(world)
    do(office, "refund-reversed", Reversal.objects.get().pk)
    audited("reversal_refund_client", finance)
    assert job.refund.amount > dollars("50.00")


def test_an_adjustment_always_needs_a_second_person(world: World, office: Client) -> None:
    job = world.settled()
    person = User.objects.get(pk=user_id(job.freelancer))
    do(office, "adjust", person.pk, sign="against", written="5.00", currency="USD")
    assert not Adjustment.objects.exists()
    page = told(office, addresses.change(person))
    assert "Waits for a second person" in page
    assert "Adjustment of a balance" in page
    approve(world, office, Approval.objects.get())
    assert Adjustment.objects.get().amount == dollars("-5.00")
    page = told(office, addresses.change(person))
    assert "What they owe" in page
    assert "$5.00" in told(office, addresses.listing(Receivable))


def test_a_wrong_amount_of_an_adjustment_is_refused(world: World, office: Client) -> None:
    job = world.settled()
    form = {"note": WHY, "sign": "in_favour", "written": "5.001", "currency": "USD", "request_key": str(uuid.uuid4())}
    assert office.post(addresses.action("adjust", user_id(job.freelancer)), form).status_code == 422
    assert not Approval.objects.exists()


def test_a_receivable_is_written_off_by_two(world: World, office: Client) -> None:
    job = world.settled()
    person = user_id(job.freelancer)
    asked = adjustments.adjust(
        actor=world.staff(), user_id=person, amount=dollars("-5.00"), note="Paid twice", now=world.now
    )
    do(office, "approve", asked.pk)
    receivable = Receivable.objects.get()
    assert "Who owes most" in told(office, addresses.listing(Receivable))
    assert "0–30" in told(office, f"{addresses.listing(Receivable)}?age=0&open=yes")
    do(office, "write-off", receivable.pk)
    approve(world, office, Approval.objects.get(kind="write_off"))
    receivable.refresh_from_db()
    assert receivable.owed == dollars("0.00")
    assert "$5.00 written off" in told(office, addresses.change(User.objects.get(pk=person)))
