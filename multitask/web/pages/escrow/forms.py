"""The forms about one task's money."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from multitask.payments.models import Escrow
from multitask.web.pages.base import status_labels
from multitask.web.pages.base.fields import AmountField, TextField


class ReasonForm(forms.Form):
    """The base of forms that want something said; errors and hints are tied to their fields."""


class RefundForm(ReasonForm):
    """How much goes back and why; everything that is left unless an amount is named."""

    REASONS = list(status_labels.REASONS.items())
    reason = forms.ChoiceField(label=_("Reason"), choices=REASONS)
    note = TextField(label=_("More about it"), lines=True, required=False, max_length=2000)

    def __init__(self, *args: Any, escrow: Escrow, **options: Any) -> None:
        """Take amounts in the escrow's currency."""
        super().__init__(*args, **options)
        self.fields["amount"] = AmountField(
            currency=escrow.currency,
            label=_("Amount"),
            required=False,
            help_text=_("Leave it empty for everything that is left."),
        )
        self.order_fields(["amount", "reason", "note"])


class AnswerForm(ReasonForm):
    """What the freelancer wants to say to a refund request."""

    note = TextField(label=_("Your answer in words"), lines=True, required=False, max_length=2000)


class DisputeForm(ReasonForm):
    """Why the two sides do not agree."""

    reason = TextField(label=_("What is the matter?"), lines=True, max_length=2000)
