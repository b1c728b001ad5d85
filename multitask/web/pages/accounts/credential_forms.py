"""Forms that prove somebody: a code of a second factor, a password that is asked for again, a new one."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.errors import DomainError
from multitask.web.pages.base import error_messages


class ProvingForm(forms.Form):
    """The base: puts a refusal beside the field that it is about."""

    def refuse(self, refusal: DomainError) -> None:
        """Say why a command refused, beside the field at fault if the form has it."""
        at_fault = {name: sentence for name, sentence in refusal.fields.items() if name in self.fields}
        if not at_fault:
            self.add_error(None, error_messages.of(refusal))
        for name, sentence in at_fault.items():
            known = sentence == refusal.message
            self.add_error(name, error_messages.of(refusal) if known else _(sentence))


def password_field(label: Any, *, is_new: bool = False) -> forms.CharField:
    """Make a field for a password that browsers fill in rightly."""
    return forms.CharField(
        label=label,
        max_length=200,
        strip=False,
        help_text=gettext_lazy("At least 8 characters, and nothing that is easy to guess.") if is_new else "",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password" if is_new else "current-password"}),
    )


class CodeForm(ProvingForm):
    """A code from the app, or a recovery code."""

    otp = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=50,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
                "class": "code",
            }
        ),
    )


class PasswordForm(ProvingForm):
    """The present password, asked for again."""

    current = password_field(gettext_lazy("Your password"))


class NewPasswordForm(ProvingForm):
    """A new password, chosen by a link."""

    password = password_field(gettext_lazy("New password"), is_new=True)


class ChangePasswordForm(ProvingForm):
    """The present password and a new one."""

    current = password_field(gettext_lazy("Present password"))
    password = password_field(gettext_lazy("New password"), is_new=True)


class AddressForm(ProvingForm):
    """Where the link goes for somebody who has forgotten the password."""

    email = forms.CharField(
        label=gettext_lazy("Email"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class ChangeEmailForm(ProvingForm):
    """A new address, and the password to show that its owner asks."""

    email = forms.CharField(
        label=gettext_lazy("New email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    current = password_field(gettext_lazy("Your password"))
