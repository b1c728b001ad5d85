"""Mask numbers and addresses of people in the sentences of others, which repeat what was entered."""

import re
from typing import Final

MASK: Final = "…"
# Of phones, cards, accounts (IBAN) and identities; groups may be apart. A part of a longer name, such as an object's
# id, stays. Eight digits, so that amounts and codes stay too.
_NUMBER: Final = re.compile(r"(?<![A-Za-z0-9_])\+?(?:[A-Za-z]{2})?\d(?:[ -]?\d){7,}(?![A-Za-z0-9_])")
_ADDRESS: Final = re.compile(r"[^\s\"'<>(),;:\[\]]+@[^\s\"'<>(),;:\[\]]+")


def sentence(text: str) -> str:
    """Return a sentence without long numbers and email addresses."""
    return _NUMBER.sub(MASK, _ADDRESS.sub(MASK, text))


def last_four(value: str) -> str:
    """Return the last four characters of a number, behind a mask; of a short one nothing."""
    bare = value.strip()
    return f"{MASK}{bare[-4:]}" if len(bare) >= 4 else MASK
