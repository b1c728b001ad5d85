"""Countries of connected accounts: their currency, their bank numbers, and what onboarding has to collect."""

from __future__ import annotations

from dataclasses import dataclass

_EURO_WORDS = "AT BE CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK"
_EURO = _EURO_WORDS.split()
_OTHER_WORDS = "US GB CA CH BG CZ DK HU LI NO PL RO SE"
CURRENCIES = {
    **dict.fromkeys(_EURO, "eur"),
    "US": "usd", "GB": "gbp", "CA": "cad", "AU": "aud", "NZ": "nzd", "CH": "chf", "DK": "dkk", "NO": "nok",
    "SE": "sek", "PL": "pln", "CZ": "czk", "HU": "huf", "RO": "ron", "BG": "bgn", "JP": "jpy", "SG": "sgd",
    "HK": "hkd", "MX": "mxn", "BR": "brl", "AE": "aed", "TH": "thb", "MY": "myr", "LI": "chf", "GI": "gbp",
}  # fmt: skip
# Where a platform of one of these may pay a connected account of another without Stripe's sales team.
CROSS_BORDER = {*_EURO, *_OTHER_WORDS.split()}


@dataclass(frozen=True)
class Field:
    """One requirement: the field that holds it, and its label on the hosted page."""

    name: str
    label: str


_PERSON = (
    Field("individual.first_name", "First name"),
    Field("individual.last_name", "Last name"),
    Field("individual.email", "E-mail"),
    Field("individual.dob.day", "Day of birth"),
    Field("individual.dob.month", "Month of birth"),
    Field("individual.dob.year", "Year of birth"),
    Field("individual.address.line1", "Address"),
    Field("individual.address.city", "City"),
    Field("individual.address.postal_code", "Postal code"),
)
_US = (
    Field("individual.address.state", "State"),
    Field("individual.ssn_last_4", "Last four digits of the SSN"),
    Field("individual.phone", "Phone"),
)
_STATES = (Field("individual.address.state", "State or province"),)
COMPANY = (
    Field("company.name", "Company name"),
    Field("company.address.line1", "Address"),
    Field("company.address.city", "City"),
    Field("company.address.postal_code", "Postal code"),
    Field("company.tax_id", "Tax number"),
)
ALWAYS = ("business_type", "external_account", "tos_acceptance.date", "tos_acceptance.ip")


def person_fields(country: str) -> tuple[Field, ...]:
    """Return the requirements for a person of a country."""
    if country == "US":
        return _PERSON + _US
    return _PERSON + _STATES if country in ("CA", "AU", "MX", "BR", "MY") else _PERSON


def fields(country: str, business_type: str | None) -> tuple[Field, ...]:
    """Return the requirements for an account."""
    return COMPANY if business_type in ("company", "non_profit", "government_entity") else person_fields(country)


def reachable(platform: str, account: str) -> bool:
    """Return whether a platform may have separate charges and transfers to an account of this country."""
    return platform == account or {platform, account} <= CROSS_BORDER
