"""Evidence about a chargeback: drafted from what we know, edited by staff, submitted to the bank; or accepted."""

from typing import Any

import pytest

from multitask.payments.authorization import approvals
from multitask.payments.errors import EvidenceClosed, FileRefused, Forbidden, WrongState
from multitask.payments.losses import acceptance, evidence
from multitask.payments.models import Approval, Chargeback, Evidence, EvidenceFile, Operation
from multitask.payments.provider import EvidenceDocument, EvidenceText
from tests.integration.payments.test_chargebacks import close, contest
from tests.payments_world import Job, World, dollars

PDF = b"%PDF-1.7 the contract"


def contested(world: World, job: Job | None = None, **more: Any) -> Chargeback:
    contest(world, job or world.delivered(), **more)
    return Chargeback.objects.latest("pk")


def add(world: World, chargeback: Chargeback, **more: Any) -> EvidenceFile:
    file = {"document": EvidenceDocument.SIGNATURE, "name": "contract.pdf", "content": PDF} | more
    return evidence.add_file(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now, **file)


def write(world: World, chargeback: Chargeback, **texts: str) -> Evidence:
    written = {EvidenceText(name): text for name, text in texts.items()}
    return evidence.edit(actor=world.staff(), chargeback_id=chargeback.pk, texts=written, now=world.now)


def submit(world: World, chargeback: Chargeback) -> Evidence:
    evidence.submit(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    world.work()
    chargeback.refresh_from_db()
    return Evidence.objects.get(chargeback=chargeback)


def at_the_bank(world: World, chargeback: Chargeback) -> dict[str, Any]:
    found: dict[str, Any] = world.at_provider_now(f"disputes/{chargeback.provider_dispute_id}")["evidence"]
    return found


def test_the_draft_says_what_we_know(world: World) -> None:
    job = world.delivered()
    chargeback = contested(world, job)
    drafted = evidence.texts(chargeback, None)
    assert job.task.title in drafted["service"]
    assert drafted["customer_email"] == job.escrow.client.email
    assert drafted["customer_name"] == job.escrow.client.username
    assert "The work was delivered" in drafted["activity"]
    assert not Evidence.objects.exists()


def test_evidence_is_edited_and_submitted_with_its_files(world: World) -> None:
    chargeback = contested(world)
    drafted = evidence.texts(chargeback, None)
    saved = write(world, chargeback, remarks="They wrote that they like it.")
    assert saved.texts == drafted | {"remarks": "They wrote that they like it."}
    added = add(world, chargeback)
    saved = submit(world, chargeback)
    sent = at_the_bank(world, chargeback)
    assert (chargeback.status, chargeback.evidence_submitted_at) == ("under_review", world.now)
    assert (saved.is_submitting, saved.refusal, saved.submissions) == (False, "", 1)
    assert sent["uncategorized_text"] == "They wrote that they like it."
    assert sent["product_description"] == drafted["service"]
    added.refresh_from_db()
    assert sent["customer_signature"] == added.provider_file_id != ""
    assert set(Operation.objects.filter(kind__contains="evidence").values_list("state", flat=True)) == {"succeeded"}


def test_after_it_was_submitted_nothing_can_be_changed(world: World) -> None:
    chargeback = contested(world)
    added = add(world, chargeback)
    submit(world, chargeback)
    with pytest.raises(EvidenceClosed):
        write(world, chargeback, remarks="One more thing.")
    with pytest.raises(EvidenceClosed):
        add(world, chargeback)
    with pytest.raises(EvidenceClosed):
        evidence.remove_file(actor=world.staff(), file_id=added.pk, now=world.now)
    with pytest.raises(EvidenceClosed):
        submit(world, chargeback)
    with pytest.raises(WrongState):
        acceptance.accept(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)


def test_a_submission_under_way_is_not_begun_again(world: World) -> None:
    chargeback = contested(world)
    for _ in range(2):
        evidence.submit(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    with pytest.raises(EvidenceClosed):
        write(world, chargeback, remarks="Wait!")
    world.work()
    assert Operation.objects.filter(kind="submit_evidence").count() == 1


def test_nothing_is_sent_after_the_deadline(world: World) -> None:
    chargeback = contested(world)
    world.wait(days=10)
    with pytest.raises(EvidenceClosed):
        submit(world, chargeback)


def test_a_refused_submission_is_shown_and_can_be_repeated(world: World) -> None:
    chargeback = contested(world)
    added = add(world, chargeback)
    EvidenceFile.objects.update(provider_file_id="file_deleted_at_the_provider")
    saved = submit(world, chargeback)
    assert saved.refusal == "The payment provider does not know this object."
    assert (saved.is_submitting, chargeback.status) == (False, "needs_response")
    evidence.remove_file(actor=world.staff(), file_id=added.pk, now=world.now)
    assert submit(world, chargeback).refusal == ""
    assert chargeback.status == "under_review"


def test_a_submission_that_comes_too_late_for_the_bank_says_so(world: World) -> None:
    chargeback = contested(world)
    world.sandbox.control("POST", f"disputes/{chargeback.provider_dispute_id}", {"outcome": "lost"})
    assert "lost" in submit(world, chargeback).refusal


def test_only_usable_files_are_taken(world: World) -> None:
    chargeback = contested(world)
    for content in (b"", b"<html>", PDF + b"0" * 5 * 1024 * 1024):
        with pytest.raises(FileRefused):
            add(world, chargeback, content=content)
    first = add(world, chargeback)
    assert add(world, chargeback).pk == first.pk
    second = add(world, chargeback, content=b"\x89PNG\r\n\x1a\n picture")
    assert [found.pk for found in evidence.files(second.evidence)] == [second.pk]
    with pytest.raises(FileRefused):
        add(world, chargeback, document=EvidenceDocument.RECEIPT, content=PDF + b"0" * 4_718_590)


def test_only_finance_staff_answers(world: World) -> None:
    job = world.delivered()
    chargeback = contested(world, job)
    for actor in (world.staff("support"), job.client, job.freelancer):
        with pytest.raises(Forbidden):
            evidence.submit(actor=actor, chargeback_id=chargeback.pk, now=world.now)
        with pytest.raises(Forbidden):
            acceptance.accept(actor=actor, chargeback_id=chargeback.pk, now=world.now)


def test_a_chargeback_is_accepted_as_lost(world: World) -> None:
    chargeback = contested(world)
    for _ in range(2):
        acceptance.accept(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    with pytest.raises(EvidenceClosed):
        submit(world, chargeback)
    world.work()
    chargeback.refresh_from_db()
    assert (chargeback.status, chargeback.accepted_at) == ("lost", world.now)
    assert Operation.objects.filter(kind="accept_chargeback").count() == 1


def test_a_large_one_is_accepted_by_two(world: World) -> None:
    chargeback = contested(world, world.started(dollars("2000.00")))
    asked = acceptance.accept(actor=world.staff(), chargeback_id=chargeback.pk, now=world.now)
    assert isinstance(asked, Approval)
    world.work()
    chargeback.refresh_from_db()
    assert chargeback.status == "needs_response"
    approvals.decide(actor=world.staff(), approval_id=asked.pk, approve=True, now=world.now)
    world.work()
    chargeback.refresh_from_db()
    assert chargeback.status == "lost"


def test_an_inquiry_that_was_answered_and_becomes_a_chargeback_is_answered_again(world: World) -> None:
    chargeback = contested(world, inquiry=True)
    submit(world, chargeback)
    assert chargeback.status == "warning_under_review"
    close(world, chargeback.provider_dispute_id, "escalated")
    chargeback.refresh_from_db()
    assert (chargeback.status, chargeback.evidence_submitted_at) == ("needs_response", None)
    assert submit(world, chargeback).submissions == 2
    assert chargeback.status == "under_review"
