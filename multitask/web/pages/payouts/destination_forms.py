"""The forms of payout details: where a payee is paid, and who they are. Nothing typed is sent back by a redirect."""

from typing import Any, Final

from django import forms
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from multitask.errors import DomainError
from multitask.payments.payouts import destination_rules, egyptian_banks
from multitask.payments.provider.destinations import DestinationKind, WalletIssuer
from multitask.web.pages.base import error_messages

ISSUERS: Final[dict[str, Any]] = {
    WalletIssuer.VODAFONE: gettext_lazy("Vodafone Cash"),
    WalletIssuer.ETISALAT: gettext_lazy("e& Cash (Etisalat)"),
    WalletIssuer.ORANGE: gettext_lazy("Orange Cash"),
    WalletIssuer.BANK_WALLET: gettext_lazy("WE Pay, or the wallet of a bank"),
}
# The form has one field for both, since people know what they have and not what it is called.
_NUMBER_FIELDS: Final = frozenset({"iban", "account_number"})


class ProofForm(forms.Form):
    """A form whose change is confirmed by the password, for users without a second factor."""

    password = forms.CharField(
        label=gettext_lazy("Your password"),
        max_length=200,
        strip=False,
        required=False,
        help_text=gettext_lazy("To make sure that it is you."),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, needs_password: bool, **options: Any) -> None:
        """Leave the password out where the second factor proves the change."""
        super().__init__(*args, **options)
        if not needs_password:
            del self.fields["password"]

    @property
    def given_password(self) -> str:
        """The password that was typed, or nothing."""
        return str(self.cleaned_data.get("password", ""))

    def refuse(self, refusal: DomainError) -> None:
        """Add a refusal as errors of the fields that it names, or else of the form."""
        at_fault = {self.named(name): sentence for name, sentence in refusal.fields.items()}
        for name, sentence in at_fault.items():
            self.add_error(name if name in self.fields else None, _(sentence))
        if not at_fault:
            self.add_error(None, error_messages.of(refusal))

    def named(self, field: str) -> str:
        """Return the form's name of a field of the command."""
        return field


class AccountForm(ProofForm):
    """An account at a bank, by its IBAN or its number."""

    bank_code = forms.CharField(label=gettext_lazy("Bank"), required=False)
    number = forms.CharField(
        label=gettext_lazy("IBAN or account number"),
        required=False,
        max_length=destination_rules.LONGEST_TEXT,
        help_text=gettext_lazy("The IBAN is EG and 27 digits; your bank's app shows it. Never the number of a card."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "ltr", "spellcheck": "false"}),
    )
    full_name = forms.CharField(
        label=gettext_lazy("Name of the account holder"),
        required=False,
        max_length=destination_rules.LONGEST_TEXT,
        help_text=gettext_lazy("As your bank has it, in full."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ("bank_code", "number", "full_name", "password")

    def __init__(self, *args: Any, **options: Any) -> None:
        """Offer the banks by their names in the reader's language."""
        super().__init__(*args, **options)
        language = get_language() or "en"
        named = sorted((egyptian_banks.name(bank.code, language), bank.code) for bank in egyptian_banks.BANKS)
        choices = [("", _("Choose your bank")), *((code, name) for name, code in named)]
        self.fields["bank_code"].widget = forms.Select(choices=choices)

    def details(self) -> dict[str, str]:
        """Return what the command takes; a number that begins with a letter is meant as an IBAN."""
        number = self.cleaned_data["number"]
        is_account = destination_rules.number(number)[:1].isdigit()
        return {
            "account_number" if is_account else "iban": number,
            "bank_code": self.cleaned_data["bank_code"],
            "full_name": self.cleaned_data["full_name"],
        }

    def named(self, field: str) -> str:
        """Return the form's name of a field of the command."""
        return "number" if field in _NUMBER_FIELDS else field


class InstaPayForm(AccountForm):
    """An account that is paid to by InstaPay."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Explain that it takes an account, since people know InstaPay by an address or a mobile number."""
        super().__init__(*args, **options)
        self.fields["number"].help_text = _(
            "Of the bank account behind your InstaPay: the IBAN is EG and 27 digits; your bank's app shows it."
            " Not the InstaPay address, a mobile number or the number of a card."
        )


class WalletForm(ProofForm):
    """A mobile wallet."""

    issuer = forms.CharField(label=gettext_lazy("Wallet"), required=False)
    msisdn = forms.CharField(
        label=gettext_lazy("Mobile number of the wallet"),
        required=False,
        max_length=destination_rules.LONGEST_TEXT,
        help_text=gettext_lazy("11 digits, such as 01012345678. It has to be yours."),
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel", "dir": "ltr"}),
    )
    full_name = forms.CharField(
        label=gettext_lazy("Name of the wallet's holder"),
        required=False,
        max_length=destination_rules.LONGEST_TEXT,
        help_text=gettext_lazy("In full. Needed for Orange Cash, WE Pay and wallets of banks."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ("issuer", "msisdn", "full_name", "password")

    def __init__(self, *args: Any, **options: Any) -> None:
        """Offer the issuers."""
        super().__init__(*args, **options)
        choices = [("", _("Choose the wallet")), *ISSUERS.items()]
        self.fields["issuer"].widget = forms.Select(choices=choices)

    def details(self) -> dict[str, str]:
        """Return what the command takes."""
        return {name: self.cleaned_data[name] for name in ("issuer", "msisdn", "full_name")}


FORMS: Final[dict[DestinationKind, type[AccountForm] | type[WalletForm]]] = {
    DestinationKind.BANK: AccountForm,
    DestinationKind.WALLET: WalletForm,
    DestinationKind.INSTAPAY: InstaPayForm,
}


class IdentityForm(ProofForm):
    """Who the payee is by law."""

    legal_name = forms.CharField(
        label=gettext_lazy("Your legal name"),
        required=False,
        max_length=destination_rules.LONGEST_TEXT,
        help_text=gettext_lazy("In full, as your national ID card shows it."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    national_id = forms.CharField(
        label=gettext_lazy("National ID number"),
        required=False,
        max_length=destination_rules.LONGEST_TEXT,
        help_text=gettext_lazy("The 14 digits on your national ID card."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric", "dir": "ltr"}),
    )
    field_order = ("legal_name", "national_id", "password")
