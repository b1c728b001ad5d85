"""Forms of the evidence: its texts, and a file."""

from typing import Any, Final

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import FILE_MAX
from multitask.payments.provider import TEXT_MAX, EvidenceDocument, EvidenceText
from multitask.web.backoffice.base import labels
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.fields import TextField

TEXT_LABELS: Final = {
    EvidenceText.SERVICE: _("What was sold"),
    EvidenceText.SERVICE_DATE: _("When the work was done"),
    EvidenceText.CUSTOMER_NAME: _("Name of the customer"),
    EvidenceText.CUSTOMER_EMAIL: _("Email address of the customer"),
    EvidenceText.CUSTOMER_ADDRESS: _("Address of the customer"),
    EvidenceText.PURCHASE_IP: _("IP address of the purchase"),
    EvidenceText.ACTIVITY: _("What the customer did on our site"),
    EvidenceText.REFUND_TERMS: _("How the customer was told of the refund terms"),
    EvidenceText.WHY_NOT_REFUNDED: _("Why the customer was not refunded"),
    EvidenceText.CANCELLATION_TERMS: _("How the customer was told of the terms of cancellation"),
    EvidenceText.WHY_NOT_CANCELLED: _("Why the order was not cancelled"),
    EvidenceText.WHY_NOT_DUPLICATE: _("Why this payment does not repeat another one"),
    EvidenceText.OTHER_PAYMENT: _("The provider's id of the other payment"),
    EvidenceText.REMARKS: _("Anything else"),
}
_ONE_LINE: Final = frozenset(
    {
        EvidenceText.SERVICE_DATE,
        EvidenceText.CUSTOMER_NAME,
        EvidenceText.CUSTOMER_EMAIL,
        EvidenceText.PURCHASE_IP,
        EvidenceText.OTHER_PAYMENT,
    }
)


class FileInput(forms.FileInput):
    """A file input with a text input of its own, into which Unfold's script writes the file's name."""

    def render(self, *args: Any, **options: Any) -> SafeString:
        """Put the text input where the script looks for one; else it would fill in another field of the form."""
        shown = super().render(*args, **options)
        return format_html('<span><span><span>{}</span></span><input type="text" hidden disabled></span>', shown)


class RemarkForm(forms.Form):
    """A remark, which may be left out."""

    note = TextField(
        label=_("Remark"),
        lines=True,
        required=False,
        max_length=1000,
        help_text=_("Kept in the audit trail under your name."),
    )


class EvidenceForm(RemarkForm):
    """All texts of the evidence."""

    def __init__(self, *args: Any, texts: dict[str, str]) -> None:
        """Show what is written already."""
        super().__init__(*args)
        self.initial = dict(texts)
        for name, label in TEXT_LABELS.items():
            self.fields[name.value] = TextField(
                label=label, lines=name not in _ONE_LINE, required=False, max_length=TEXT_MAX
            )
        self.order_fields([name.value for name in TEXT_LABELS])

    def clean(self) -> dict[str, Any]:
        """Refuse a form in which nothing is written: it would empty the evidence."""
        written: dict[str, Any] = super().clean() or {}
        if not any(written.get(name.value) for name in TEXT_LABELS):
            raise forms.ValidationError(_("Write at least one text."), code="required")
        return written

    @staticmethod
    def texts_of(cleaned: dict[str, Any]) -> dict[EvidenceText, str]:
        """Return the validated texts."""
        return {name: cleaned[name.value] for name in TEXT_LABELS}


class FileForm(RemarkForm):
    """A file, and what it shows."""

    file = forms.FileField(
        label=_("File"),
        allow_empty_file=False,
        help_text=_("A PDF, a JPEG or a PNG of at most 4.5 MB; all files together have at most 4.5 MB."),
        widget=FileInput(attrs={"accept": "application/pdf,image/jpeg,image/png"}),
    )

    def __init__(self, *args: Any) -> None:
        """Set the choices."""
        super().__init__(*args)
        choices = [(each.value, labels.of("evidence_document", each.value)) for each in EvidenceDocument]
        self.fields["document"] = forms.ChoiceField(label=_("What the file shows"), choices=choices)
        self.order_fields(["document", "file", "note"])

    def clean_file(self) -> Any:
        """Refuse a file that is too large, before it is read."""
        given = self.cleaned_data["file"]
        if given.size > FILE_MAX:
            raise forms.ValidationError(str(error_messages.BY_CODE["file_refused"]), code="file_refused")
        return given
