"""The form that asks in which country and currency a payee is paid, before the account is made."""

from typing import Any

from babel import Locale
from django import forms
from django.utils.translation import gettext_lazy

from multitask.payments.payouts import account_choices
from multitask.web.pages.templatetags.money import reader_locale


class PlaceForm(forms.Form):
    """Country and currency, of those that the routes can pay."""

    country = forms.ChoiceField(
        label=gettext_lazy("Country of your bank"),
        help_text=gettext_lazy("Where you live and have your bank account. The account cannot move to another one."),
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency of your bank account"),
        help_text=gettext_lazy("Money in another currency waits until you add a bank account for it."),
    )

    def __init__(self, data: Any = None, *, country: str, currency: str) -> None:
        """Offer what can be paid; `country` and `currency` are chosen at first if they are among it."""
        offered, locale = account_choices.offered(), reader_locale()
        initial = {"country": country if country in offered.countries else "", "currency": currency}
        super().__init__(data, initial=initial)
        named = sorted((locale.territories.get(code, code), code) for code in offered.countries)
        unchosen = [] if initial["country"] else [("", "–")]
        self.fields["country"].choices = unchosen + [(code, name) for name, code in named]  # type: ignore[attr-defined]
        self.fields["currency"].choices = [  # type: ignore[attr-defined]
            (code, _currency(code, locale)) for code in offered.currencies
        ]


def _currency(code: str, locale: Locale) -> str:
    name = locale.currencies.get(code)
    return f"{code} · {name}" if name else code
