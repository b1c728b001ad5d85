"""What some deeds ask besides the reason."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money, MoneyError
from multitask.payments.models import Escrow
from multitask.users.models import StaffRole
from multitask.web.backoffice import words
from multitask.web.backoffice.deeds.deed import ReasonForm, SharedReasonForm
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.fields import AmountField
from multitask.web.pages.escrow.forms import RefundForm as PeoplesRefundForm
from multitask.web.pages.templatetags.money import money


class RefundForm(SharedReasonForm):
    """How much goes back, what for, and why."""

    reason = forms.ChoiceField(label=gettext_lazy("What for"), choices=PeoplesRefundForm.REASONS)

    def __init__(self, *args: Any, escrow: Escrow) -> None:
        """Take amounts in the escrow's currency."""
        super().__init__(*args)
        self.fields["amount"] = AmountField(
            currency=escrow.currency,
            label=_("Amount in %(currency)s") % {"currency": escrow.currency},
            required=False,
            help_text=_("Leave it empty for everything that is left: %(amount)s.")
            % {"amount": money(escrow.remaining)},
        )
        self.order_fields(["amount", "reason", "note"])


class ShareField(AmountField):
    """An amount that may be nothing."""

    def clean(self, value: Any) -> Money:
        """Read it exactly; zero is a share too."""
        written = forms.CharField.clean(self, value)
        try:
            return Money.parse(written, self.currency, minimum_minor=0)
        except MoneyError as error:
            raise ValidationError(error_messages.of(error), code=error.code) from error


class SettleForm(SharedReasonForm):
    """How what is in escrow is shared."""

    def __init__(self, *args: Any, escrow: Escrow) -> None:
        """Take amounts in the escrow's currency, and the whole of what is there."""
        super().__init__(*args)
        self.remaining = escrow.remaining
        told = {"currency": escrow.currency}
        self.fields["client_amount"] = ShareField(
            currency=escrow.currency, label=_("Back to the client, in %(currency)s") % told
        )
        self.fields["freelancer_amount"] = ShareField(
            currency=escrow.currency,
            label=_("To the freelancer, in %(currency)s") % told,
            help_text=_("Before the platform's fee is taken from it."),
        )
        self.order_fields(["client_amount", "freelancer_amount", "note"])

    def clean(self) -> dict[str, Any]:
        """The two have to be the whole."""
        shares: dict[str, Any] = super().clean() or {}
        found = [shares[name].amount_minor for name in ("client_amount", "freelancer_amount") if name in shares]
        if len(found) == 2 and sum(found) != self.remaining.amount_minor:
            told = _("The two amounts have to add up to %(amount)s.") % {"amount": money(self.remaining)}
            raise ValidationError(told, code="amount_mismatch")
        return shares


class RoleForm(ReasonForm):
    """Which part somebody has in the staff."""

    staff_role = forms.ChoiceField(label=gettext_lazy("Role"), required=False)

    def __init__(self, *args: Any, present: str) -> None:
        """Begin with the present role."""
        super().__init__(*args)
        choices = [(role, words.of("role", role)) for role in StaffRole.values]
        self.fields["staff_role"] = forms.ChoiceField(label=_("Role"), required=False, choices=choices, initial=present)
        self.order_fields(["staff_role", "note"])
