"""Labels of what the provider still requires of a freelancer, by its field names."""

from collections.abc import Iterable
from typing import Final

from django.utils.translation import gettext_lazy as _

from multitask.payments.models import ConnectedAccount
from multitask.payments.operations import engine
from multitask.payments.provider import HoldsAccounts, Requirement

_LABELS: Final = {
    Requirement.BANK_ACCOUNT: _("A bank account for your payouts"),
    Requirement.TERMS: _("Your agreement to the provider's terms"),
    Requirement.ACTIVITY: _("What you do"),
    Requirement.BUSINESS_TYPE: _("Whether you work alone or as a company"),
    Requirement.NAME: _("Your name"),
    Requirement.BIRTH_DATE: _("Your date of birth"),
    Requirement.ADDRESS: _("Your address"),
    Requirement.EMAIL: _("Your email address"),
    Requirement.PHONE: _("Your phone number"),
    Requirement.IDENTITY_NUMBER: _("Your identity number"),
    Requirement.SOCIAL_SECURITY: _("The last four digits of your social security number"),
    Requirement.IDENTITY_DOCUMENT: _("A photo of an identity document"),
    Requirement.ADDRESS_DOCUMENT: _("A document that proves your address"),
    Requirement.IDENTITY_CHECK: _("A check of your identity"),
    Requirement.PERSON: _("Details about you"),
    Requirement.COMPANY: _("Details about your company"),
    Requirement.COMPANY_PERSON: _("Details about a person of your company"),
    Requirement.PAYOUT_SETTINGS: _("Payout settings"),
}


def due(account: ConnectedAccount) -> list[str]:
    """Return labels of what the account's owner still has to provide."""
    return _labels(account, account.requirements.get("currently_due", []))


def checked(account: ConnectedAccount) -> list[str]:
    """Return labels of what the provider is checking."""
    return _labels(account, account.requirements.get("pending_verification", []))


def _labels(account: ConnectedAccount, names: Iterable[str]) -> list[str]:
    """Return each label once, in the order in which it is required."""
    provider = engine.provider_for(account.provider, HoldsAccounts)
    return list(dict.fromkeys(_label(provider, name) for name in names))


def _label(provider: HoldsAccounts, name: str) -> str:
    wanted = provider.requirement(name)
    return name.replace("_", " ").replace(".", ": ").capitalize() if wanted is None else str(_LABELS[wanted])
