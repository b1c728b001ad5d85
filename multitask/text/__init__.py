"""Validate and normalise text from users before it is stored and shown to others."""

import re
import unicodedata

# They change the direction of the text that follows, so that a title can imitate another one.
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Letters and symbols that are invisible.
INKLESS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# Direction marks, joiners and tatweel, which phones and copied text bring along with a number.
_BESIDE_NUMBERS = re.compile("[\u061c\u0640\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
LINE_CHARACTERS = frozenset("\n\t")


def complaint(value: str, *, longest: int, shortest: int = 0, lines: bool = False) -> str | None:
    """Return a message about what is wrong with a text, or None if it is valid.

    `lines` allows line breaks and tabs. Lengths are counted in characters, without surrounding white space; a text
    without visible characters counts as empty. Control characters, lone surrogates and direction controls are refused.
    """
    length = 0 if _is_blank(value) else len(value.strip())
    if length < shortest:
        return "This may not be empty." if length == 0 else f"At least {shortest} characters."
    if len(value) > longest:
        return f"At most {longest} characters."
    for character in value:
        if _is_hidden(character) and not (lines and character in LINE_CHARACTERS):
            return f"The character U+{ord(character):04X} is not allowed here."
    return None


def tidy(value: str) -> str:
    """Remove white space around a text and convert every line break to one line feed.

    Hidden characters at the ends are kept, so that `complaint` refuses them.
    """
    return value.replace("\r\n", "\n").strip(" \n\t")


def visible_number(value: str) -> str:
    """Return a number without the invisible characters in it and around it, which mean nothing there."""
    return _BESIDE_NUMBERS.sub("", value)


def _is_blank(value: str) -> bool:
    # Cf are format characters, such as the zero-width joiner; Zs are spaces.
    return all(
        character.isspace() or character in INKLESS or unicodedata.category(character) in {"Cf", "Zs"}
        for character in value
    )


def _is_hidden(character: str) -> bool:
    # Cc are control characters, Cs surrogates, Zl and Zp the separators of lines and paragraphs.
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in BIDI_CONTROLS
