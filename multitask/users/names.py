"""The names by which people are found, each in its one normal form: usernames and email addresses.

Upper and lower case are folded in ASCII alone. Python and PostgreSQL fold further: the Kelvin sign becomes a k and
the long s an s, so a strange letter would pass for somebody else's name, or for another mailbox.
"""

from typing import Final

import idna
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

LONGEST_EMAIL: Final = 254
_UPPER_TO_LOWER: Final = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def folded(name: str) -> str:
    """Return a name with its ASCII letters in lower case; other characters stay as they are."""
    return name.translate(_UPPER_TO_LOWER)


def email(written: str) -> str | None:
    """Return the normal form of an email address, or None if the text is not one.

    The part before the @ is ASCII in lower case. The domain is in its ASCII form (IDNA 2008, with the mapping of
    UTS 46 that browsers use) in lower case. A quoted part before the @ would be a second spelling of a mailbox, and
    a network address in place of a domain names a machine, so neither counts as an email address.
    """
    local, at, domain = written.rpartition("@")
    if not at or not local.isascii() or '"' in local:
        return None
    if domain.startswith("["):
        return None
    normal = f"{folded(local)}@{_domain(domain)}"
    try:
        validate_email(normal)
    except ValidationError:
        return None
    return normal if len(normal) <= LONGEST_EMAIL else None


def key(name: str) -> str:
    """Return the key by which attempts under a name are counted: the same for all spellings that find one account."""
    return email(name) or folded(name)


def _domain(written: str) -> str:
    if written.isascii():
        return folded(written)
    try:
        return idna.encode(written, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return ""
