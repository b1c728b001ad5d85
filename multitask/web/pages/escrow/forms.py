"""Forms of the payment page."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import Escrow
from multitask.web.pages.base import status_labels
from multitask.web.pages.base.fields import AmountField, TextField


class ReasonForm(forms.Form):
    """Base of the forms that carry a reason or a note."""


class RefundForm(ReasonForm):
    """The amount to refund and why; everything that is left if no amount is given."""

    REASONS = list(status_labels.REASONS.items())
    reason = forms.ChoiceField(label=_("Reason"), choices=REASONS)
    note = TextField(label=_("More about it"), lines=True, required=False, max_length=2000)

    def __init__(self, *args: Any, escrow: Escrow, **options: Any) -> None:
        """Add the amount field in the escrow's currency."""
        super().__init__(*args, **options)
        self.fields["amount"] = AmountField(
            currency=escrow.currency,
            label=_("Amount"),
            required=False,
            help_text=_("Leave it empty for everything that is left."),
        )
        self.order_fields(["amount", "reason", "note"])


class GiveBackForm(RefundForm):
    """How much of what was released the freelancer gives back, and why; everything if no amount is given."""


class AnswerForm(ReasonForm):
    """The freelancer's note on a refund request."""

    note = TextField(label=_("Your answer in words"), lines=True, required=False, max_length=2000)


class DisputeForm(ReasonForm):
    """The reason of a dispute."""

    reason = TextField(label=_("What is the problem?"), lines=True, max_length=2000)
