"""The back office's pages and actions about chargebacks, their evidence and losses, and fraud warnings."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from multitask.money import Money
from multitask.payments.authorization import approvals
from multitask.payments.losses import evidence, fraud_warnings
from multitask.payments.models import Chargeback, Escrow, EvidenceFile, FraudWarning, Loss
from multitask.users.actor import Actor
from multitask.web.backoffice import work_items
from tests.integration.backoffice import addresses
from tests.integration.payments.test_chargebacks import close, contest, learn
from tests.integration.payments.test_money_moved_outside import reviewed
from tests.payments_world import World, dollars

PDF = b"%PDF-1.7 the contract"


def contested(world: World, *, verdict: str = "", **more: Any) -> Chargeback:
    dispute = contest(world, world.delivered(), **more)
    if verdict:
        close(world, dispute, verdict)
    return Chargeback.objects.get(provider_dispute_id=dispute)


def do(office: Client, name: str, subject: int, **form: Any) -> str:
    address = f"/backoffice/do/{name}/{subject}/"
    answer = office.post(address, form, follow=True)
    return str(answer.content.decode())


def test_the_page_shows_the_case_its_money_and_the_draft(world: World, office: Client) -> None:
    chargeback = contested(world)
    page = office.get(addresses.change(chargeback)).content.decode()
    for told in (
        "The cardholder did not authorize the payment", "Waits for our answer", "$100.00", "$15.00",
        "This is a draft of what we know.", "What the customer did on our site", "What is left in escrow",
        "Submit to the bank", "Accept as lost",
    ):  # fmt: skip
        assert told in page, told
    assert "fraudulent" not in page
    assert "Book the loss" not in page


def test_evidence_is_edited_completed_and_submitted(world: World, office: Client) -> None:
    chargeback = contested(world)
    assert "Write at least one text." in do(office, "edit-evidence", chargeback.pk)
    page = do(office, "edit-evidence", chargeback.pk, service="A logo", remarks="They liked it")
    assert "The evidence is saved." in page
    assert "They liked it" in page
    file = SimpleUploadedFile("contract.pdf", PDF, content_type="text/html")
    page = do(office, "add-evidence-file", chargeback.pk, document="signature", file=file)
    assert "The file is added." in page
    assert "contract.pdf" in page
    stored = EvidenceFile.objects.get()
    answer = office.get(f"/backoffice/evidence-files/{stored.pk}/")
    assert (answer.content, answer["Content-Type"]) == (PDF, "application/pdf")
    assert answer["Content-Disposition"].startswith("attachment")
    assert "The evidence is on its way to the bank." in do(office, "submit-evidence", chargeback.pk, note="Complete")
    world.work()
    chargeback.refresh_from_db()
    assert chargeback.status == "under_review"
    page = office.get(addresses.change(chargeback)).content.decode()
    assert "The bank has had our evidence since" in page
    assert "Submit to the bank" not in page
    refused = office.post(f"/backoffice/do/edit-evidence/{chargeback.pk}/", {"remarks": "More"})
    assert refused.status_code == 409
    assert "can no longer be changed" in refused.content.decode()


def test_a_file_of_another_kind_is_refused_and_one_can_be_removed(world: World, office: Client) -> None:
    chargeback = contested(world)
    page = do(office, "add-evidence-file", chargeback.pk, document="other", file=SimpleUploadedFile("a.pdf", b"<html>"))
    assert "The file has to be a PDF" in page
    do(office, "add-evidence-file", chargeback.pk, document="other", file=SimpleUploadedFile("b.pdf", PDF))
    assert "The file is removed." in do(office, "remove-evidence-file", EvidenceFile.objects.get().pk, note="Wrong")
    assert evidence.files(evidence.of(chargeback)) == []


def test_a_lost_chargeback_is_booked_with_its_preview(world: World, office: Client) -> None:
    chargeback = contested(world, verdict="lost")
    asked = office.get(f"/backoffice/do/book-loss/{chargeback.pk}/").content.decode()
    assert "What is left in escrow" in asked
    assert "Total loss" in asked
    page = do(office, "book-loss", chargeback.pk, note="The bank is right")
    assert "The loss is booked." in page
    assert "The booked loss" in page
    assert Loss.objects.get().escrow_minor == 10_000
    escrow = office.get(addresses.change(chargeback.escrow)).content.decode()
    assert "Charged back" in escrow
    assert "Taken back by the client" in escrow


def test_a_loss_of_a_converted_payment_is_shown_in_the_currency_of_the_balance(world: World, office: Client) -> None:
    rules = {"eur": {"currency": "usd", "rate": "1.10"}}
    world.sandbox.control("POST", "accounts/platform/settlement", rules)
    try:
        job = world.hired(Money(150_000, "EUR"))
        world.ask_to_pay(job)
        world.pay(job)
        world.learn_of_payment(job)
        world.sandbox.control("POST", "accounts/platform/settlement", rules | {"eur": rules["eur"] | {"rate": "1"}})
        dispute = world.sandbox.control("POST", "disputes", {"charge": job.payment.provider_collection_id})["id"]
        learn(world, dispute)
        close(world, dispute, "lost")
        chargeback = Chargeback.objects.get()
        asked = office.get(f"/backoffice/do/book-loss/{chargeback.pk}/").content.decode()
        assert all(amount in asked for amount in ("$1,650.00", "$1,500.00", "gain by the exchange rate"))
        do(office, "book-loss", chargeback.pk, note="Large")
        approval = job.escrow.approvals.get()
        page = office.get(f"/backoffice/do/approve/{approval.pk}/").content.decode()
        assert "$1,650.00" in page
        approvals.decide(actor=world.staff(), approval_id=approval.pk, approve=True, now=world.now)
        assert "$150.00 of it is the platform&#x27;s gain" in office.get(addresses.change(job.escrow)).content.decode()
    finally:
        world.sandbox.control("POST", "accounts/platform/settlement", {})


def test_the_second_person_sees_who_bears_the_loss(world: World, office: Client) -> None:
    dispute = contest(world, world.started(dollars("2000.00")))
    close(world, dispute, "lost")
    chargeback = Chargeback.objects.get()
    page = do(office, "book-loss", chargeback.pk, note="Large")
    assert "Nothing moves until a second person has approved it." in page
    assert "A decision about this escrow waits for a second person." in page
    assert "Waits for a second person" in office.get("/backoffice/payments/approval/").content.decode()
    asked = office.get(f"/backoffice/do/approve/{Escrow.objects.get().approvals.get().pk}/").content.decode()
    assert "What is left in escrow" in asked
    assert "divided as shown above" in asked


def test_a_chargeback_is_accepted(world: World, office: Client) -> None:
    chargeback = contested(world)
    assert "The chargeback is accepted." in do(office, "accept-chargeback", chargeback.pk, note="They are right")
    world.work()
    chargeback.refresh_from_db()
    assert chargeback.status == "lost"


def test_support_reads_and_changes_nothing(world: World, browser: Callable[[Actor], Client]) -> None:
    chargeback = contested(world)
    support_office = browser(world.staff("support"))
    page = support_office.get(addresses.change(chargeback)).content.decode()
    assert "What the customer did on our site" in page
    assert "Submit to the bank" not in page
    assert support_office.get(f"/backoffice/do/edit-evidence/{chargeback.pk}/").status_code == 403


def test_the_work_queue_and_the_lists(world: World, office: Client) -> None:
    due, inquiry, unbooked = contested(world), contested(world, inquiry=True), contested(world, verdict="lost")
    Chargeback.objects.filter(pk=due.pk).update(evidence_due_at=timezone.now())
    job = world.started()
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": job.charge_id})
    listed = world.provider.list_fraud_warnings(since=job.escrow.created_at)
    fraud_warnings.confirm("stripe", next(each for each in listed if each.collection_id == job.charge_id), world.now)
    counts = work_items.counts(timezone.now())
    wanted = {"evidence_due": 1, "unbooked_losses": 1, "fraud_warnings": 1, "inquiries": 1, "chargebacks": 3}
    assert {name: counts[name] for name in wanted} == wanted
    for chosen, row in (("due", due), ("unbooked", unbooked), ("inquiries", inquiry)):
        page = office.get(f"/backoffice/payments/chargeback/?waits={chosen}").content.decode()
        assert row.provider_dispute_id in page
        assert sum(each.provider_dispute_id in page for each in (due, inquiry, unbooked)) == 1
    page = office.get("/backoffice/payments/fraudwarning/?waits=open").content.decode()
    assert "The card was used without its owner" in page
    page = office.get(addresses.change(job.escrow)).content.decode()
    assert "Refund the client" in page
    assert "The card&#x27;s bank suspects fraud" in page


@pytest.mark.parametrize("is_released", [False, True])
def test_a_warning_is_refunded_or_closed(world: World, office: Client, is_released: bool) -> None:
    job = world.released() if is_released else world.started()
    world.events()
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": job.charge_id})
    world.hear()
    warning = FraudWarning.objects.get()
    asked = office.get(f"/backoffice/do/refund-warning/{warning.pk}/").content.decode()
    assert "saves the fee of a chargeback" in asked
    assert ("The freelancer&#x27;s money of this escrow" in asked) is is_released
    assert "The fraud warning is closed." in do(office, "close-warning", warning.pk, note="Known client")
    assert "The refund is on its way." in do(office, "refund-warning", warning.pk, note="Not known after all")
    world.work()
    assert job.refund.amount == dollars("100.00")


def test_a_warning_about_a_payment_that_fits_no_escrow_returns_it(world: World, office: Client) -> None:
    job = reviewed(world)
    world.sandbox.control("POST", "early_fraud_warnings", {"charge": job.payment.provider_collection_id})
    world.hear()
    warning = FraudWarning.objects.get()
    asked = office.get(f"/backoffice/do/refund-warning/{warning.pk}/").content.decode()
    assert "$90.00 goes back to the card" in asked
    assert "the escrow is not touched" in asked
    assert "The refund is on its way." in do(office, "refund-warning", warning.pk, note="A stolen card")
    assert job.refund.amount == dollars("90.00")


def test_an_inquiry_offers_a_refund_to_the_staff(world: World, office: Client) -> None:
    inquiry = contested(world, inquiry=True)
    page = office.get(addresses.change(inquiry.escrow)).content.decode()
    assert f"/backoffice/do/refund/{inquiry.escrow_id}/" in page
    assert "Inquiry: waits for our answer" in page
