"""Form fields that validate as strictly as the API does."""

import re
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from multitask import text
from multitask.money import Money, MoneyError
from multitask.web.pages.base import error_messages

# One comma with three digits behind it, in the digits of any script.
_AMBIGUOUS: Final = re.compile(r"\D*\d{1,3}[,،]\d{3}\D*")


class AmountField(forms.CharField):
    """An amount in major units; cleans to Money, or None where it may be left empty."""

    def __init__(self, *, currency: str, **options: Any) -> None:
        """Parse amounts in this currency."""
        options.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(max_length=40, **options)
        self.currency = currency

    def clean(self, value: Any) -> Any:
        """Parse the amount exactly. Raises ValidationError with the reason."""
        written = super().clean(value)
        if not written:
            return None
        try:
            return Money.read(written, self.currency)
        except MoneyError as error:
            is_ambiguous = error.code == "amount_invalid" and _AMBIGUOUS.fullmatch(written)
            said = _("Is the comma for thousands or for decimals? Write 1234 or 1,234.00.")
            raise ValidationError(said if is_ambiguous else error_messages.of(error), code=error.code) from error


class TextField(forms.CharField):
    """Text from people: one line, or several with `lines`; hidden and control characters are refused."""

    def __init__(self, *, lines: bool = False, **options: Any) -> None:
        """Choose the widget by the number of lines."""
        if lines:
            options.setdefault("widget", forms.Textarea(attrs={"rows": 5}))
        super().__init__(**options)
        self.lines = lines

    def clean(self, value: Any) -> Any:
        """Normalise and validate the text. Raises ValidationError."""
        written = text.tidy(super().clean(value))
        found = text.complaint(written, longest=self.max_length or 10_000, lines=self.lines)
        if found and written:
            raise ValidationError(found, code="invalid_text")
        return written
