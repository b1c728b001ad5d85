"""The back office of the payout budget: what it shows, what finance records, and what it decides."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from multitask.payments.models import (
    RECORD_FILE_MAX,
    BudgetRecord,
    Disbursement,
    Payment,
    PayoutBudget,
    PayoutDestination,
    Withdrawal,
)
from multitask.payments.payouts import budget
from multitask.payments.payouts.budget_shortage import NOTED_AFTER
from multitask.users.actor import Actor
from multitask.web.backoffice import work_queue
from tests.egypt_world import BANK, BUDGET, COLLECTED, FAILS, EgyptWorld, pounds
from tests.integration.backoffice.addresses import action, change, listing
from tests.integration.egypt.test_undecided_payouts import undecided
from tests.integration.egypt.test_unnamed_tries import paid_by_first, poll
from tests.integration.pages.reading import text_of
from tests.payments_world import held

SignIn = Callable[[Actor], Client]
PDF = b"%PDF-1.7 a settlement"


@pytest.fixture
def found(world: EgyptWorld) -> PayoutBudget:
    """The budget, which was compared once."""
    return budget.compare(provider="paymob", currency="EGP", now=world.now)


def send(office: Client, address: str, **data: Any) -> Any:
    """Confirm an action."""
    return office.post(address, {"request_key": "00000000-0000-4000-8000-000000000001", **data}, follow=True)


def test_a_settlement_is_recorded_with_its_document(world: EgyptWorld, found: PayoutBudget, office: Client) -> None:
    world.funded()
    page = office.get(action("record-settlement", found.pk))
    assert "Fee kept by the provider" in text_of(page)
    document = SimpleUploadedFile("march.pdf", PDF, content_type="application/pdf")
    sent = {"amount": "1000.00", "fee": "27.50", "happened_on": timezone.localdate().isoformat(), "reference": "S-1"}
    answer = send(office, action("record-settlement", found.pk), **sent, file=document, note="March")

    assert answer.status_code == 200
    assert "less than nothing" not in text_of(answer)
    record = BudgetRecord.objects.get()
    assert (record.amount, record.fee, record.reference) == (pounds("1000.00"), pounds("27.50"), "S-1")
    assert (held(COLLECTED, "EGP"), held(BANK, "EGP")) == (0, -97_250)

    shown = office.get(change(record))
    assert "march.pdf" in text_of(shown)
    download = office.get(f"/backoffice/budget-files/{record.pk}/")
    assert (download.content, download["X-Content-Type-Options"]) == (PDF, "nosniff")
    assert download["Content-Disposition"].startswith("attachment")
    assert "march.pdf" in text_of(office.get(listing(BudgetRecord)))


def test_a_file_of_another_kind_is_refused(world: EgyptWorld, found: PayoutBudget, office: Client) -> None:
    document = SimpleUploadedFile("page.html", b"<script>", content_type="text/html")
    sent = {"amount": "10.00", "happened_on": timezone.localdate().isoformat(), "reference": "T-1"}
    answer = send(office, action("record-top-up", found.pk), **sent, file=document)
    assert answer.status_code == 422
    assert not BudgetRecord.objects.exists()


def test_a_document_may_be_as_large_as_its_form_says(world: EgyptWorld, found: PayoutBudget, office: Client) -> None:
    sent = {"amount": "10.00", "happened_on": timezone.localdate().isoformat(), "reference": "T-1", "note": "é" * 1000}
    for size, status in ((RECORD_FILE_MAX + 1, 422), (RECORD_FILE_MAX, 200)):
        document = SimpleUploadedFile("scan.pdf", PDF.ljust(size), content_type="application/pdf")
        assert send(office, action("record-top-up", found.pk), **sent, file=document).status_code == status
    assert len(BudgetRecord.objects.get().file_content or b"") == RECORD_FILE_MAX


def test_the_page_shows_what_waits_and_a_top_up_sends_it(
    world: EgyptWorld, found: PayoutBudget, office: Client
) -> None:
    payee = world.payee()
    world.earned(payee)
    world.withdraw(payee, pounds("850.00"))
    world.work()
    Disbursement.objects.update(usable_from=timezone.now() - 2 * NOTED_AFTER)

    page = text_of(office.get(change(found)))
    assert "Top it up with at least" in page
    assert "Payout budgets to top up" in text_of(office.get("/backoffice/"))
    assert "paymob" in text_of(office.get(listing(PayoutBudget)))

    world.paymob.control("POST", "topups", {"amount": 200_000})
    sent = {"amount": "2000.00", "happened_on": timezone.localdate().isoformat(), "reference": "T-1"}
    answer = send(office, action("record-top-up", found.pk), **sent)
    assert "The top-up is recorded" in text_of(answer)
    assert "In the bank, by our books: −EGP2,000.00, which is less than nothing." in text_of(answer)
    world.wait(minutes=1)
    world.work()
    assert Withdrawal.objects.get().state == "completed"
    assert "No payout waits for it." in text_of(office.get(change(found)))


def test_a_wrong_record_is_taken_back_with_a_reason(world: EgyptWorld, found: PayoutBudget, office: Client) -> None:
    record = world.record_top_up(pounds("500.00"))
    assert send(office, action("correct-record", record.pk)).status_code == 422
    answer = send(office, action("correct-record", record.pk), note="Typed twice.")
    assert "The record is taken back." in text_of(answer)
    assert held(BUDGET, "EGP") == 0
    assert "Taken back by a correction" in text_of(office.get(change(record)))


def test_comparing_shows_the_difference_and_the_work_queue_has_it(
    world: EgyptWorld, found: PayoutBudget, office: Client
) -> None:
    world.paymob.control("POST", "topups", {"amount": 1_000})
    answer = send(office, action("compare-budget", found.pk), note="Daily.")
    assert "differ by" in text_of(answer)
    assert "Payout budgets that differ from the provider" in text_of(office.get("/backoffice/"))
    found.refresh_from_db()
    assert found.differs_since is not None
    world.record_top_up(pounds("10.00"))
    send(office, action("compare-budget", found.pk), note="Again.", request_key="00000000-0000-4000-8000-000000000002")
    found.refresh_from_db()
    assert found.differs_since is None


def test_costs_that_explain_a_difference_are_recorded_with_a_reason(
    world: EgyptWorld, found: PayoutBudget, office: Client
) -> None:
    assert "Record costs" in text_of(office.get(change(found)))
    sent = {"fee": "5.00", "tax": "0.70", "happened_on": timezone.localdate().isoformat(), "reference": "INV-1"}
    assert send(office, action("record-costs", found.pk), **sent).status_code == 422
    assert send(office, action("record-costs", found.pk), **sent | {"fee": "", "tax": ""}, note="x").status_code == 422
    answer = send(office, action("record-costs", found.pk), **sent, note="Invoice of November.")
    assert "The costs are recorded." in text_of(answer)
    assert held(BUDGET, "EGP") == 570
    record = text_of(office.get(change(BudgetRecord.objects.get())))
    assert "Costs of payouts" in record
    assert "0.70" in record
    assert "5.70" in text_of(office.get(listing(BudgetRecord)))


def test_costs_that_came_back_are_recorded_with_a_reason(
    world: EgyptWorld, found: PayoutBudget, office: Client
) -> None:
    sent = {"fee": "5.00", "tax": "0.70", "happened_on": timezone.localdate().isoformat(), "reference": "CN-1"}
    assert "Record costs that came back" in text_of(office.get(change(found)))
    answer = send(office, action("record-credit", found.pk), **sent, note="Credit note of November.")
    assert "The credit is recorded." in text_of(answer)
    assert held(BUDGET, "EGP") == -570
    record = text_of(office.get(change(BudgetRecord.objects.get())))
    assert "Costs that came back" in record
    assert "Costs of payouts that came back were recorded" in record


def test_an_undecided_payout_is_in_the_work_queue_and_is_decided_there(
    world: EgyptWorld, found: PayoutBudget, office: Client
) -> None:
    withdrawal, payout = undecided(world)
    assert "Payouts of unknown outcome to decide about" in text_of(office.get("/backoffice/"))
    assert withdrawal.user.username in text_of(office.get(listing(Disbursement), {"waits": "undecided"}))
    page = text_of(office.get(change(payout)))
    for label in ("Look it up again", "It was paid", "It was certainly not made"):
        assert label in page
    assert "Payout from the budget" in text_of(office.get(change(withdrawal)))

    answer = send(office, action("payout-was-not-made", payout.pk), note="Paymob says so.")
    assert "The money is available again." in text_of(answer)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "failed"
    assert "It was paid" not in text_of(office.get(change(payout)))


def test_looking_it_up_again_asks_the_provider_once_more(
    world: EgyptWorld, found: PayoutBudget, office: Client
) -> None:
    _, payout = undecided(world)
    send(office, action("look-up-payout", payout.pk), note="Once more.")
    assert "perform_operation" in world.work()
    assert work_queue.undecided_payouts(world.now).get() == payout


def test_a_payment_by_an_unknown_try_is_in_the_work_queue_and_is_named_there(world: EgyptWorld, office: Client) -> None:
    job, first, second = paid_by_first(world)
    poll(world)
    assert "Paid orders whose transaction is unknown" in text_of(office.get("/backoffice/"))
    order = str(job.payment.provider_payment_id)
    assert order in text_of(office.get(listing(Payment), {"waits": "unnamed"}))
    assert "Name the transaction" in text_of(office.get(change(job.escrow)))
    name = action("name-try", job.payment.pk)
    assert order in text_of(office.get(name))

    send(office, name, transaction_id=second, note="The wrong one.")
    assert job.escrow.state == "pending_payment"
    answer = send(office, name, transaction_id=first, note="In the dashboard.")

    assert "The payment was found and counts." in text_of(answer)
    assert job.escrow.state == "funded"
    assert "Name the transaction" not in text_of(office.get(change(job.escrow)))


def test_support_reads_and_does_not_record(world: EgyptWorld, found: PayoutBudget, sign_in: SignIn) -> None:
    support = sign_in(world.staff("support"))
    assert support.get(change(found)).status_code == 200
    assert "Record a top-up" not in text_of(support.get(change(found)))
    assert support.get(action("record-top-up", found.pk)).status_code == 403


def test_the_lists_in_arabic_have_no_english_headings_or_reasons(
    world: EgyptWorld, found: PayoutBudget, office: Client
) -> None:
    payee = world.payee(FAILS)
    world.earned(payee)
    world.fill_budget(pounds("500.00"))
    made = world.withdrawn(payee, pounds("100.00"))
    assert made.state == "failed"
    office.cookies["django_language"] = "ar"
    for shown in (Withdrawal, Disbursement, BudgetRecord, PayoutDestination):
        page = text_of(office.get(listing(shown)))
        for word in ("Reference", "Currency", "vodafone", "There is no wallet"):
            assert word not in page, (shown, word)
    assert "فودافون كاش" in text_of(office.get(listing(Disbursement)))
