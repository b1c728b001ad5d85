"""Labels of what the provider still requires of a freelancer, by its field names."""

from collections.abc import Iterable
from typing import Final

from django.utils.translation import gettext_lazy as _

# By the beginning of the field's name; the longest match counts.
_LABELS: Final = {
    "external_account": _("A bank account for your payouts"),
    "tos_acceptance": _("Your agreement to the provider's terms"),
    "business_profile": _("What you do"),
    "business_type": _("Whether you work alone or as a company"),
    "individual.first_name": _("Your name"),
    "individual.last_name": _("Your name"),
    "individual.dob": _("Your date of birth"),
    "individual.address": _("Your address"),
    "individual.email": _("Your email address"),
    "individual.phone": _("Your phone number"),
    "individual.id_number": _("Your identity number"),
    "individual.ssn_last_4": _("The last four digits of your social security number"),
    "individual.verification.document": _("A photo of an identity document"),
    "individual.verification.additional_document": _("A document that proves your address"),
    "individual.verification": _("A check of your identity"),
    "individual": _("Details about you"),
    "company": _("Details about your company"),
    "person": _("Details about a person of your company"),
    "settings": _("Payout settings"),
}


def labels(fields: Iterable[str]) -> list[str]:
    """Return the labels of the fields, each once, in the order in which they are required."""
    return list(dict.fromkeys(_label(field) for field in fields))


def _label(field: str) -> str:
    fitting = [name for name in _LABELS if field == name or field.startswith(f"{name}.")]
    if not fitting:
        return field.replace("_", " ").replace(".", ": ").capitalize()
    return str(_LABELS[max(fitting, key=len)])
