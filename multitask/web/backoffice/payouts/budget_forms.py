"""Forms about the payout budget: a settlement, a top-up, costs, and what became of a payout."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from multitask.money import Money, MoneyError
from multitask.payments.models import RECORD_FILE_MAX
from multitask.payments.payouts.budget_records import FILE_TYPES, RecordFile
from multitask.payments.payouts.undecided_payouts import Costs
from multitask.web.backoffice.base.actions import ReasonForm
from multitask.web.backoffice.chargebacks.forms import FileInput, RemarkForm
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.fields import AmountField, TextField


class CostField(AmountField):
    """An amount that may be zero or left empty; cleans to Money, or None where nothing was written."""

    def clean(self, value: Any) -> Any:
        """Parse the amount exactly. Raises ValidationError with the reason."""
        written = forms.CharField.clean(self, value)
        if not written:
            return None
        try:
            return Money.read(written, self.currency, minimum_minor=0)
        except MoneyError as error:
            raise ValidationError(error_messages.of(error), code=error.code) from error


class RecordForm(RemarkForm):
    """What finance records about the budget: amount, day, reference, and a document."""

    happened_on = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    reference = TextField(
        label=_("Reference"), max_length=100, help_text=_("That of the bank or the provider; each is recorded once.")
    )
    file = forms.FileField(
        label=_("Document"),
        required=False,
        help_text=_("A PDF, a JPEG or a PNG of at most 5 MB; may be left out."),
        widget=FileInput(attrs={"accept": "application/pdf,image/jpeg,image/png"}),
    )

    def __init__(self, *args: Any, currency: str, today: date) -> None:
        """Ask for an amount in the currency of the budget."""
        super().__init__(*args)
        self.fields["amount"] = AmountField(currency=currency, label=_("Amount"), help_text=currency)
        self.initial["happened_on"] = today
        self.order_fields(["amount", "fee", "happened_on", "reference", "file", "note"])

    def clean_file(self) -> Any:
        """Refuse a file of another kind, or one that is too large, before it is read."""
        given = self.cleaned_data["file"]
        if given is not None and (given.size > RECORD_FILE_MAX or given.content_type not in FILE_TYPES):
            raise ValidationError(str(error_messages.BY_CODE["file_refused"]), code="file_refused")
        return given

    @staticmethod
    def file_of(cleaned: dict[str, Any]) -> RecordFile | None:
        """Return the document that was sent."""
        given = cleaned["file"]
        if given is None:
            return None
        return RecordFile(name=given.name, content_type=given.content_type, content=given.read())


class SettlementForm(RecordForm):
    """A settlement to the bank, of which the provider kept a fee."""

    def __init__(self, *args: Any, currency: str, today: date) -> None:
        """Ask for the fee too."""
        super().__init__(*args, currency=currency, today=today)
        self.fields["fee"] = CostField(
            currency=currency,
            label=_("Fee kept by the provider"),
            required=False,
            help_text=_("Nothing if left empty."),
        )
        self.fields["amount"].help_text = _("Before the fee that the provider kept.")
        self.order_fields(["amount", "fee", "happened_on", "reference", "file", "note"])


class CostsForm(RecordForm):
    """Fee and tax of payouts, and why they are recorded."""

    def __init__(self, *args: Any, currency: str, today: date) -> None:
        """Ask for the fee and the tax on it in place of an amount."""
        super().__init__(*args, currency=currency, today=today)
        self.currency = currency
        del self.fields["amount"]
        for name, label in (("fee", _("Fee of the payouts")), ("tax", _("Tax on the fee"))):
            self.fields[name] = CostField(
                currency=currency, label=label, required=False, help_text=_("Nothing if left empty.")
            )
        self.fields["note"].label, self.fields["note"].required = _("Reason"), True
        self.order_fields(["fee", "tax", "happened_on", "reference", "file", "note"])

    def clean(self) -> dict[str, Any]:
        """Require that something was charged."""
        cleaned = super().clean() or self.cleaned_data
        for name in ("fee", "tax"):
            cleaned[name] = cleaned.get(name) or Money.zero(self.currency)
        if not self.errors and not (cleaned["fee"] + cleaned["tax"]).amount_minor:
            told = str(error_messages.BY_CODE["amount_too_small"])
            self.add_error("fee", ValidationError(told, code="amount_too_small"))
        return cleaned


class PaidForm(ReasonForm):
    """That a payout was made: the provider's id, what it cost, and how that is known."""

    def __init__(self, *args: Any, currency: str) -> None:
        """Ask for the costs in the currency of the payout."""
        super().__init__(*args)
        self.currency = currency
        self.fields["provider_payout_id"] = TextField(label=_("The provider's id of the payout"), max_length=64)
        self.fields["fee"] = CostField(currency=currency, label=_("Fee of the payout"), required=False)
        self.fields["tax"] = CostField(currency=currency, label=_("Tax on the fee"), required=False)
        self.fields["fee"].help_text = _("May be left empty if it is not known.")
        self.order_fields(["provider_payout_id", "fee", "tax", "note"])

    @staticmethod
    def costs_of(cleaned: dict[str, Any], currency: str) -> Costs | None:
        """Return what the payout cost, None if that is not known."""
        if cleaned["fee"] is None:
            return None
        return Costs(fee=cleaned["fee"], tax=cleaned["tax"] or Money.zero(currency))
