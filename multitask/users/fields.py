"""Rules for the fields of an account."""

import re
from collections.abc import Callable
from functools import cache

from babel import Locale, UnknownLocaleError

from multitask.money import Currency, CurrencyUnknown
from multitask.users import names, time_zones
from multitask.users.errors import UserError

USERNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{1,149}")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][A-Za-z]{1,3})?")
# The territory list also names places that are no country: the EU, test regions, unknown.
NOT_A_COUNTRY = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})


class InvalidAccount(UserError):
    """Fields of an account are not valid; `fields` maps each to the reason."""

    code = "invalid_account"
    message = "Some fields of the account are not valid."


@cache
def countries() -> frozenset[str]:
    """List the ISO 3166 alpha-2 codes."""
    codes = {str(code) for code in Locale("en").territories}
    return frozenset(code for code in codes if len(code) == 2 and code.isalpha()) - NOT_A_COUNTRY


def _is_username(value: str) -> bool:
    return USERNAME.fullmatch(value) is not None


def _is_email(value: str) -> bool:
    return names.email(value) is not None


def _is_currency(value: str) -> bool:
    try:
        Currency.of(value)
    except CurrencyUnknown:
        return False
    return True


def _is_language(value: str) -> bool:
    if not LANGUAGE.fullmatch(value):
        return False
    try:
        Locale.parse(value, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


_RULES: dict[str, tuple[Callable[[str], bool], str]] = {
    "username": (
        _is_username,
        "2 to 150 letters, digits and . _ + -, beginning with a letter, digit or _.",
    ),
    "email": (_is_email, "This is not an email address."),
    "country": (lambda v: v in countries(), "This is not an ISO 3166 country code, such as US."),
    "default_currency": (_is_currency, "This is not an ISO 4217 currency code, such as USD."),
    "language": (_is_language, "This is not a language code, such as en or pt-BR."),
    "time_zone": (lambda v: v in time_zones.names(), "This is not a time zone, such as Europe/Berlin."),
}


def complaints(values: dict[str, object]) -> dict[str, str]:
    """Return complaints by field; fields without a rule (the flags) are not checked."""
    found: dict[str, str] = {}
    for field, value in values.items():
        if field not in _RULES:
            continue
        is_valid, sentence = _RULES[field]
        if not isinstance(value, str) or not is_valid(value):
            found[field] = sentence
    return found
