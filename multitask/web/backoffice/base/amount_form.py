"""The form of an action about an amount that the staff types, in a currency that it chooses."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from multitask.money import Money, MoneyError
from multitask.web.backoffice.base.actions import ReasonForm
from multitask.web.pages.base import error_messages


class AmountForm(ReasonForm):
    """How much, in which currency, and the reason; `amount` of the cleaned data is exact."""

    written = forms.CharField(
        label=gettext_lazy("Amount"),
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    currency = forms.ChoiceField(label=gettext_lazy("Currency"))

    def __init__(self, *args: Any, currencies: list[str], currency: str | None = None) -> None:
        """Offer these currencies, `currency` selected."""
        super().__init__(*args)
        choices = [(code, code) for code in currencies]
        self.fields["currency"] = forms.ChoiceField(label=gettext_lazy("Currency"), choices=choices, initial=currency)
        self.order_fields(["sign", "written", "currency", "note"])

    def clean(self) -> dict[str, Any]:
        """Parse the amount exactly, in its currency."""
        found: dict[str, Any] = super().clean() or {}
        if "written" not in found or "currency" not in found:
            return found
        try:
            return found | {"amount": Money.read(found["written"], found["currency"])}
        except MoneyError as error:
            raise ValidationError({"written": error_messages.of(error)}) from error
