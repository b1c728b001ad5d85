"""A page offers an action only while its command accepts it."""

from django.test import Client

from multitask.payments.escrow import disputes
from multitask.payments.models import Approval, Refund
from tests.integration.backoffice import addresses, scenes
from tests.integration.backoffice.test_actions import WHY, Browser, do, told
from tests.integration.payments.test_chart_of_accounts import refund_to_retry
from tests.integration.payments.test_money_moved_outside import refund_late
from tests.integration.situations import bank
from tests.payments_world import World, dollars, held


def test_a_failed_refund_whose_money_was_released_is_not_offered_again(world: World, office: Client) -> None:
    job = scenes.failed_refund(world)
    world.release(job)
    page = told(office, addresses.change(job.escrow))
    assert addresses.action("retry-refund", job.refund.pk) not in page
    assert "Its money went back to escrow and was released." in page
    assert "Refunds that failed" not in told(office, "/backoffice/")
    answer = office.post(addresses.action("retry-refund", job.refund.pk), {"note": WHY})
    assert answer.status_code == 409
    assert "went back to escrow and was released" in answer.content.decode()
    assert Refund.objects.count() == 1


def test_a_failed_refund_is_not_offered_again_while_its_escrow_is_disputed(world: World, office: Client) -> None:
    job = scenes.failed_refund(world)
    retry = addresses.action("retry-refund", job.refund.pk)
    disputes.open_dispute(actor=job.client, escrow_id=job.escrow.pk, reason="It is square", now=world.now)
    assert retry not in told(office, addresses.change(job.escrow))
    assert office.post(retry, {"note": WHY}).status_code == 409


def test_a_failed_refund_is_not_offered_again_while_another_is_under_way(world: World, office: Client) -> None:
    job = scenes.failed_refund(world)
    failed = Refund.objects.get()
    world.refund(job, job.freelancer, dollars("10.00"))
    assert addresses.action("retry-refund", failed.pk) not in told(office, addresses.change(job.escrow))


def test_a_late_refund_whose_money_the_bank_has_taken_is_only_given_up(world: World, office: Client) -> None:
    job = world.settled()
    refund = refund_late(world, job, actor=world.staff(), amount=dollars("40.00"))
    bank.lose(world, job, amount=10_000)
    bank.bounce(world, job)
    page = told(office, addresses.change(job.escrow))
    assert addresses.action("retry-refund", refund.pk) not in page
    assert addresses.action("refund-by-bank", refund.pk) not in page
    assert "bears that loss first" in told(office, addresses.action("give-up-refund", refund.pk))
    do(office, "give-up-refund", refund.pk)
    assert held("platform:losses") == 0


def test_a_transfer_that_was_retried_is_not_offered_again(world: World, office: Client) -> None:
    job, blocking = scenes.refused_transfer(world)
    refused, retry = job.transfer, addresses.action("retry-transfer", job.escrow.pk)
    assert retry in told(office, addresses.change(refused))
    world.at_provider(f"transfers/{blocking}/reversals")
    do(office, "retry-transfer", job.escrow.pk)
    world.work()
    assert retry not in told(office, addresses.change(refused))


def test_a_payment_that_is_being_sent_back_is_not_offered_again(world: World, office: Client) -> None:
    job = scenes.payment_under_review(world)
    send_back = addresses.action("return-payment", job.payment.pk)
    assert send_back in told(office, addresses.change(job.escrow))
    do(office, "return-payment", job.payment.pk)
    assert send_back not in told(office, addresses.change(job.escrow))


def test_a_refused_transfer_is_not_offered_to_its_own_freelancer(world: World, browser: Browser) -> None:
    finance = world.staff("finance", is_freelancer=True)
    world.onboard(finance)
    job = world.completed(freelancer=finance)
    account = str(world.account(finance).provider_account_id)
    world.at_provider("transfers", amount="2000", currency="usd", destination=account, source_transaction=job.charge_id)
    world.release(job)
    world.work()
    inside = browser(finance)
    for row in (job.escrow, job.transfer):
        assert "/backoffice/do/" not in told(inside, addresses.change(row))


def test_a_failed_refund_whose_money_waits_can_be_paid_by_bank(world: World, office: Client, browser: Browser) -> None:
    job = refund_to_retry(world)
    button = addresses.action("refund-by-bank", job.refund.pk)
    assert button in told(office, addresses.change(job.escrow))
    do(office, "refund-by-bank", job.refund.pk)
    approval = Approval.objects.get()
    assert "Refund paid by bank transfer" in told(office, addresses.change(job.escrow))
    do(browser(world.staff()), "approve", approval.pk)
    page = told(office, addresses.change(job.escrow))
    assert button not in page
    assert "It was paid by bank transfer." in page
    assert "Refunds that failed" not in told(office, "/backoffice/")
