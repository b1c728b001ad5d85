"""Forms for codes, passwords and email addresses."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from multitask.errors import DomainError
from multitask.users import passwords
from multitask.web.pages.base import error_messages


class CredentialForm(forms.Form):
    """A form that shows a refusal of its command beside the field concerned."""

    def refuse(self, refusal: DomainError) -> None:
        """Add a refusal as the error of the field that it names, or else of the form."""
        at_fault = {name: sentence for name, sentence in refusal.fields.items() if name in self.fields}
        if not at_fault:
            self.add_error(None, error_messages.of(refusal))
        for name, sentence in at_fault.items():
            known = sentence == refusal.message
            self.add_error(name, error_messages.of(refusal) if known else _(sentence))


def password_field(label: Any, *, is_new: bool = False) -> forms.CharField:
    """Return a password field with the autocomplete hint that browsers expect."""
    return forms.CharField(
        label=label,
        max_length=passwords.LONGEST,
        strip=False,
        help_text=gettext_lazy("At least 8 characters, and nothing that is easy to guess.") if is_new else "",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password" if is_new else "current-password"}),
    )


class CodeForm(CredentialForm):
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


class PasswordForm(CredentialForm):
    """The current password."""

    current = password_field(gettext_lazy("Your password"))


class NewPasswordForm(CredentialForm):
    """A new password, from a reset link."""

    password = password_field(gettext_lazy("New password"), is_new=True)


class ChangePasswordForm(CredentialForm):
    """The current password and a new one."""

    current = password_field(gettext_lazy("Present password"))
    password = password_field(gettext_lazy("New password"), is_new=True)


class AddressForm(CredentialForm):
    """The email address that a reset link is sent to."""

    email = forms.CharField(
        label=gettext_lazy("Email"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class ChangeEmailForm(CredentialForm):
    """A new email address, and the current password to authorise the change."""

    email = forms.CharField(
        label=gettext_lazy("New email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    current = password_field(gettext_lazy("Your password"))
