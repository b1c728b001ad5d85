"""What the staff does before a bank has decided: evidence, acceptance of chargebacks, and fraud warnings."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from multitask.payments.losses import acceptance, chargebacks, evidence, fraud_warnings
from multitask.payments.models import Chargeback, Evidence, EvidenceFile, FraudWarning, Operation
from multitask.payments.provider import ChargebackStatus, EvidenceDocument, EvidenceText
from tests.simulation.conditions import EVIDENCE, WARNINGS
from tests.simulation.story import Broken, Story

Do = Callable[..., bool]
# How files of the types that banks take begin; the last is none of them.
CONTENTS = (b"%PDF-1.7 A contract", b"\x89PNG\r\n\x1a\n A picture", b"\xff\xd8\xff A photograph", b"A note")
REMARKS = ("winning_evidence", "losing_evidence", "They were content")


class Answers:
    """The part of the staff's work that has a deadline; `do` runs a command as one of the staff."""

    def __init__(self, story: Story, do: Do) -> None:
        self.story, self._rng, self._do = story, story.fate, do
        self._asked: set[int] = set()

    def work(self) -> int:
        """Work through what waits; return how many rows there were."""
        found = 0
        if EVIDENCE in self.story.situations:
            found += self._answer_chargebacks()
        if WARNINGS in self.story.situations:
            for warning in list(FraudWarning.objects.filter(closed_at=None).order_by("pk")):
                if self.story.is_calm or self._rng.random() < 0.6:
                    found += 1
                    self._decide(warning)
        return found

    # -- chargebacks

    def _answer_chargebacks(self) -> int:
        waiting = list(Chargeback.objects.filter(status__in=chargebacks.UNANSWERED).order_by("pk"))
        for chargeback in waiting:
            answers = (self._edit, self._add_file, self._remove_file, self._submit, self._submit, self._accept)
            for _ in range(self._rng.choice((0, 1, 1, 2, 3))):
                self._rng.choice(answers)(chargeback)
        if self._rng.random() < 0.2:
            self._answer_too_late()
        return len(waiting)

    def _edit(self, chargeback: Chargeback) -> None:
        texts = {
            EvidenceText.REMARKS: self._rng.choice(REMARKS),
            EvidenceText.SERVICE_DATE: self._rng.choice(("", "2031-03-04")),
        }
        self._do("edit_evidence", evidence.edit, chargeback_id=chargeback.pk, texts=texts)

    def _add_file(self, chargeback: Chargeback) -> None:
        content, document = self._rng.choice(CONTENTS), self._rng.choice(list(EvidenceDocument))

        def add(*, chargeback_id: int, **more: Any) -> object:
            return evidence.add_file(
                chargeback_id=chargeback_id, document=document, name="file", content=content, **more
            )

        if self._do("add_evidence", add, chargeback_id=chargeback.pk) and content == CONTENTS[-1]:
            raise Broken("a file that no bank takes was added")

    def _remove_file(self, chargeback: Chargeback) -> None:
        files = EvidenceFile.objects.filter(evidence__chargeback=chargeback, removed_at=None).order_by("pk")
        if (file := files.first()) is not None:
            self._do("remove_evidence", evidence.remove_file, file_id=file.pk)

    def _submit(self, chargeback: Chargeback) -> None:
        number = chargeback.pk
        for _ in range(self._rng.choice((1, 1, 2))):
            if self._do("submit_evidence", evidence.submit, chargeback_id=number):
                sent = Evidence.objects.filter(chargeback=number, is_submitting=False, submissions__gt=0)
                self.story.responses.record(f"evidence of chargeback {number}", "sent", sent.exists)

    def _accept(self, chargeback: Chargeback) -> None:
        if self._rng.random() < 0.6:
            return
        for _ in range(self._rng.choice((1, 1, 2))):
            self._do("accept_chargeback", acceptance.accept, chargeback_id=chargeback.pk)

    def _answer_too_late(self) -> None:
        """Try to answer a chargeback that is closed or whose time is over, which is not possible any more."""
        for chargeback in Chargeback.objects.order_by("pk"):
            now = datetime.fromtimestamp(self.story.now, UTC)
            saved = evidence.of(chargeback)
            if evidence.is_open(chargeback, now=now) or (saved is not None and saved.is_submitting):
                continue
            if self._do("submit_evidence", evidence.submit, chargeback_id=chargeback.pk):
                raise Broken(f"chargeback {chargeback.pk} was answered, which is {chargeback.status}")
            if (
                chargeback.status != ChargebackStatus.NEEDS_RESPONSE.value
                and self._do("accept_chargeback", acceptance.accept, chargeback_id=chargeback.pk)
                and chargeback.accepted_at is None
            ):
                raise Broken(f"chargeback {chargeback.pk} was accepted, which is {chargeback.status}")

    # -- fraud warnings

    def _decide(self, warning: FraudWarning) -> None:
        """Refund the client in time, or close the warning; what was decided before and could not be done is closed."""
        number = warning.pk
        if number not in self._asked and self._rng.random() < 0.6:
            self._asked.add(number)
            self._do("refund_warning", fraud_warnings.refund, warning_id=number)
        elif self._do("close_warning", fraud_warnings.close, warning_id=number, note="We know this client"):
            closed = FraudWarning.objects.filter(pk=number).exclude(closed_at=None)
            self.story.responses.record(f"fraud warning {number}", "closed", closed.exists)


def at_the_bank(story: Story) -> list[str]:
    """Return what is wrong with what the bank has got: each submission once, with what was saved."""
    found = []
    disputes = {doc["id"]: doc for doc in story.provider.some("dispute")}
    for saved in Evidence.objects.select_related("chargeback"):
        ident = saved.chargeback.provider_dispute_id
        sent = Operation.objects.filter(kind="submit_evidence", subject_id=saved.chargeback_id, state="succeeded")
        made = disputes[ident]["evidence_details"]["submission_count"]
        if made != sent.count():
            found.append(f"the evidence of {ident} was sent {made} times, {sent.count()} times by our record")
        newest: Any = sent.order_by("-sequence").first()
        told = disputes[ident]["evidence"].get("uncategorized_text") or ""
        if newest is not None and told != newest.arguments["texts"].get("remarks", ""):
            found.append(f"the bank was told {told!r} about {ident}, not {newest.arguments['texts']}")
    return found
