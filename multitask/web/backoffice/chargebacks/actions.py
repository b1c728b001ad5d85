"""Actions on a chargeback: its evidence, accepting it, and booking its loss."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.payments.authorization import access
from multitask.payments.errors import NotFound
from multitask.payments.losses import acceptance, booking, evidence
from multitask.payments.models import Chargeback, EvidenceFile
from multitask.payments.provider import EvidenceDocument
from multitask.users.actor import Actor, Power
from multitask.web.backoffice.base import labels, links, waterfall_words
from multitask.web.backoffice.base.actions import (
    Action,
    ReasonForm,
    Submission,
    Summary,
    approval_warning,
    escrow_summary,
    outcome_message,
    require_id,
)
from multitask.web.backoffice.chargebacks.forms import EvidenceForm, FileForm
from multitask.web.pages.base import status_labels
from multitask.web.pages.templatetags.money import moment, money


def chargeback_summary(chargeback: Chargeback) -> Summary:
    """Return what the bank contests, why, and until when it can be answered."""
    due = chargeback.evidence_due_at
    return [
        (_("Chargeback"), chargeback.pk),
        (_("Amount"), money(chargeback.amount)),
        (_("State"), status_labels.label(chargeback.status)),
        (_("Reason of the bank"), status_labels.bank_reason(chargeback.reason)),
        (_("To be answered by"), moment(due) if due else "–"),
        *escrow_summary(chargeback.escrow),
    ]


def find(actor: Actor, subject_id: int | None) -> Chargeback:
    """Return a chargeback with its escrow. Raises NotFound."""
    found = Chargeback.objects.select_related("payment").filter(pk=require_id(subject_id)).first()
    if found is None:
        raise NotFound
    found.escrow = access.escrow(actor, found.escrow_id)
    return found


class ChargebackAction(Action):
    """An action on a chargeback."""

    power = Power.ANSWER_CHARGEBACK

    def subject(self, actor: Actor, subject_id: int | None) -> Chargeback:
        """Return the chargeback."""
        return find(actor, subject_id)

    def summary(self, subject: Chargeback) -> Summary:
        """Return the chargeback's summary."""
        return chargeback_summary(subject)

    def result_address(self, subject: Chargeback) -> str:
        """Return the chargeback's page."""
        return links.of(subject)


class EditEvidence(ChargebackAction):
    """Write the texts of the evidence."""

    name = "edit-evidence"
    title = gettext_lazy("Edit the evidence")
    button_label = gettext_lazy("Edit the evidence")

    def form(self, subject: Chargeback, *args: Any) -> forms.Form:
        """Return the form with what is written, or drafted."""
        return EvidenceForm(*args, texts=evidence.texts(subject, evidence.of(subject)))

    def consequences(self, subject: Chargeback) -> list[str]:
        """Return that nothing is sent yet."""
        return [_("The texts are saved. Nothing goes to the bank before the evidence is submitted.")]

    def execute(self, subject: Chargeback, submission: Submission) -> object:
        """Save the texts."""
        texts = EvidenceForm.texts_of(submission.data)
        return evidence.edit(
            actor=submission.actor, chargeback_id=subject.pk, texts=texts, now=submission.now, note=submission.note
        )

    def success_message(self, subject: Chargeback, outcome: object) -> str:
        """Return the confirmation."""
        return _("The evidence is saved.")


class AddEvidenceFile(ChargebackAction):
    """Add a file to the evidence."""

    name = "add-evidence-file"
    title = gettext_lazy("Add a file to the evidence")
    button_label = gettext_lazy("Add a file")

    def form(self, subject: Chargeback, *args: Any) -> forms.Form:
        """Return the form for the file."""
        return FileForm(*args)

    def consequences(self, subject: Chargeback) -> list[str]:
        """Return what happens to an earlier file."""
        return [
            _("The file is saved; a file that shows the same is replaced."),
            _("Nothing goes to the bank before the evidence is submitted."),
        ]

    def execute(self, subject: Chargeback, submission: Submission) -> object:
        """Save the file."""
        file = submission.data["file"]
        return evidence.add_file(
            actor=submission.actor,
            chargeback_id=subject.pk,
            document=EvidenceDocument(submission.data["document"]),
            name=file.name,
            content=file.read(),
            now=submission.now,
            note=submission.note,
        )

    def success_message(self, subject: Chargeback, outcome: object) -> str:
        """Return the confirmation."""
        return _("The file is added.")


class RemoveEvidenceFile(Action):
    """Remove a file from the evidence."""

    name = "remove-evidence-file"
    power = Power.ANSWER_CHARGEBACK
    title = gettext_lazy("Remove a file from the evidence")
    button_label = gettext_lazy("Remove")

    def subject(self, actor: Actor, subject_id: int | None) -> EvidenceFile:
        """Return the file, with its chargeback."""
        found = EvidenceFile.objects.defer("content").select_related("evidence").filter(pk=require_id(subject_id))
        file = found.first()
        if file is None:
            raise NotFound
        file.evidence.chargeback = find(actor, file.evidence.chargeback_id)
        return file

    def form(self, subject: EvidenceFile, *args: Any) -> forms.Form:
        """Return the form for the reason, which only the staff reads."""
        return ReasonForm(*args)

    def summary(self, subject: EvidenceFile) -> Summary:
        """Return the file's name and what it shows."""
        return [
            (_("File"), subject.name),
            (_("What the file shows"), labels.of("evidence_document", subject.document)),
            *chargeback_summary(subject.evidence.chargeback),
        ]

    def consequences(self, subject: EvidenceFile) -> list[str]:
        """Return that it is not sent."""
        return [_("The file is not sent to the bank.")]

    def execute(self, subject: EvidenceFile, submission: Submission) -> object:
        """Remove it."""
        return evidence.remove_file(
            actor=submission.actor, file_id=subject.pk, now=submission.now, note=submission.note
        )

    def success_message(self, subject: EvidenceFile, outcome: object) -> str:
        """Return the confirmation."""
        return _("The file is removed.")

    def result_address(self, subject: EvidenceFile) -> str:
        """Return the chargeback's page."""
        return links.of(subject.evidence.chargeback)


class SubmitEvidence(ChargebackAction):
    """Send the evidence to the bank."""

    name = "submit-evidence"
    title = gettext_lazy("Submit the evidence")
    button_label = gettext_lazy("Submit to the bank")
    is_irreversible = True

    def form(self, subject: Chargeback, *args: Any) -> forms.Form:
        """Return the form for the reason, which only the staff reads."""
        return ReasonForm(*args)

    def consequences(self, subject: Chargeback) -> list[str]:
        """Return what is sent, and that it is final."""
        files = evidence.files(evidence.of(subject))
        return [
            _("The texts and %(number)s files go to the bank. It reads them once: nothing can be added later.")
            % {"number": len(files)},
            _("The bank decides within some weeks; the money is held until then."),
        ]

    def execute(self, subject: Chargeback, submission: Submission) -> object:
        """Submit it."""
        return evidence.submit(
            actor=submission.actor, chargeback_id=subject.pk, now=submission.now, note=submission.note
        )

    def success_message(self, subject: Chargeback, outcome: object) -> str:
        """Return the confirmation."""
        return _("The evidence is on its way to the bank.")


class AcceptChargeback(ChargebackAction):
    """Accept the chargeback as lost."""

    name = "accept-chargeback"
    title = gettext_lazy("Accept the chargeback")
    button_label = gettext_lazy("Accept as lost")
    is_irreversible = True

    def consequences(self, subject: Chargeback) -> list[str]:
        """Return that the money is lost."""
        return [
            _("The bank keeps %(amount)s; the chargeback is lost for good, without evidence.")
            % {"amount": money(subject.amount)},
            _("After that the loss has to be booked: only then is it decided who bears it."),
            *approval_warning(subject.escrow, subject.amount),
        ]

    def execute(self, subject: Chargeback, submission: Submission) -> object:
        """Accept it, or ask for approval."""
        return acceptance.accept(
            actor=submission.actor,
            chargeback_id=subject.pk,
            now=submission.now,
            note=submission.note,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Chargeback, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The chargeback is accepted. The bank is told."))


class BookLoss(ChargebackAction):
    """Book the loss of a lost chargeback."""

    name = "book-loss"
    power = Power.REFUND
    title = gettext_lazy("Book the loss")
    button_label = gettext_lazy("Book the loss")
    is_irreversible: ClassVar[bool] = True

    def summary(self, subject: Chargeback) -> Summary:
        """Return the chargeback's summary and who bears the loss."""
        shares = waterfall_words.of_preview(booking.preview(subject), subject.taken.currency)
        return [*chargeback_summary(subject), *shares]

    def consequences(self, subject: Chargeback) -> list[str]:
        """Return what happens at once."""
        return [
            _("The loss is divided as shown above, by the amounts of the moment at which it is booked."),
            _("What the freelancer still has of this escrow is taken back; what is missing is owed or borne by us."),
            *approval_warning(subject.escrow, subject.taken),
        ]

    def execute(self, subject: Chargeback, submission: Submission) -> object:
        """Book it, or ask for approval."""
        return booking.book(
            actor=submission.actor,
            chargeback_id=subject.pk,
            now=submission.now,
            note=submission.note,
            request_key=submission.request_key,
        )

    def success_message(self, subject: Chargeback, outcome: object) -> str:
        """Return the confirmation."""
        return outcome_message(outcome, _("The loss is booked. The freelancer was told."))
