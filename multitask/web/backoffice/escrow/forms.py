"""Forms of the actions that ask for amounts."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.money import Money, MoneyError
from multitask.payments.models import Escrow
from multitask.web.backoffice.base.actions import SharedReasonForm
from multitask.web.pages.base import error_messages
from multitask.web.pages.base.fields import AmountField
from multitask.web.pages.escrow.forms import RefundForm as PageRefundForm
from multitask.web.pages.templatetags.money import money


class RefundForm(SharedReasonForm):
    """The amount, the cause and the reason of a refund."""

    reason = forms.ChoiceField(label=gettext_lazy("Cause"), choices=PageRefundForm.REASONS)

    def __init__(self, *args: Any, escrow: Escrow) -> None:
        """Set the currency of the amounts to the escrow's."""
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
    """An amount that may be zero."""

    def clean(self, value: Any) -> Money:
        """Parse the amount exactly; zero is valid."""
        written = forms.CharField.clean(self, value)
        try:
            return Money.read(written, self.currency, minimum_minor=0)
        except MoneyError as error:
            raise ValidationError(error_messages.of(error), code=error.code) from error


class SettlementForm(SharedReasonForm):
    """How the money in escrow is split."""

    def __init__(self, *args: Any, escrow: Escrow) -> None:
        """Set the currency of the amounts to the escrow's, and the total that they have to add up to."""
        super().__init__(*args)
        self.remaining = escrow.remaining
        values = {"currency": escrow.currency}
        self.fields["client_amount"] = ShareField(
            currency=escrow.currency, label=_("Back to the client, in %(currency)s") % values
        )
        self.fields["freelancer_amount"] = ShareField(
            currency=escrow.currency,
            label=_("To the freelancer, in %(currency)s") % values,
            help_text=_("Before the platform's fee is taken from it."),
        )
        self.order_fields(["client_amount", "freelancer_amount", "note"])

    def clean(self) -> dict[str, Any]:
        """Require that the two amounts add up to what is left."""
        shares: dict[str, Any] = super().clean() or {}
        found = [shares[name].amount_minor for name in ("client_amount", "freelancer_amount") if name in shares]
        if len(found) == 2 and sum(found) != self.remaining.amount_minor:
            told = _("The two amounts have to add up to %(amount)s.") % {"amount": money(self.remaining)}
            raise ValidationError(told, code="amount_mismatch")
        return shares
