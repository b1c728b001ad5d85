"""Stripe's names of missing requirements of an account."""

from typing import Final

from multitask.payments.provider import Requirement

# By the beginning of the field's name; the longest that fits counts.
_FIELDS: Final = {
    "external_account": Requirement.BANK_ACCOUNT,
    "tos_acceptance": Requirement.TERMS,
    "business_profile": Requirement.ACTIVITY,
    "business_type": Requirement.BUSINESS_TYPE,
    "individual.first_name": Requirement.NAME,
    "individual.last_name": Requirement.NAME,
    "individual.dob": Requirement.BIRTH_DATE,
    "individual.address": Requirement.ADDRESS,
    "individual.email": Requirement.EMAIL,
    "individual.phone": Requirement.PHONE,
    "individual.id_number": Requirement.IDENTITY_NUMBER,
    "individual.ssn_last_4": Requirement.SOCIAL_SECURITY,
    "individual.verification.document": Requirement.IDENTITY_DOCUMENT,
    "individual.verification.additional_document": Requirement.ADDRESS_DOCUMENT,
    "individual.verification": Requirement.IDENTITY_CHECK,
    "individual": Requirement.PERSON,
    "company": Requirement.COMPANY,
    "person": Requirement.COMPANY_PERSON,
    "settings": Requirement.PAYOUT_SETTINGS,
}


def of(name: str) -> Requirement | None:
    """Return the requirement of a field; None if the field is unknown."""
    fitting = [known for known in _FIELDS if name == known or name.startswith(f"{known}.")]
    return _FIELDS[max(fitting, key=len)] if fitting else None
