"""What text from people may hold before it is stored and shown to others."""

import unicodedata

# These turn the direction of what follows, so that a title can pretend to be another one.
BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# These have no ink although they count as letters or symbols.
INKLESS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
LINE_CHARACTERS = frozenset("\n\t")


def complaint(value: str, *, longest: int, shortest: int = 0, lines: bool = False) -> str | None:
    """Say what is wrong with a text, or None when nothing is.

    `lines` allows line breaks and tabs. Lengths are counted in characters, without the white
    space around; a text of which nothing can be seen is empty. Control characters, halves of
    surrogate pairs and direction controls are refused.
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
    """Drop white space around a text and write every line break as one line feed.

    Only what may stand inside is dropped: a hidden character at an end stays, to be refused.
    """
    return value.replace("\r\n", "\n").strip(" \n\t")


def _is_blank(value: str) -> bool:
    # Cf are characters that only shape others, such as the joiner of zero width; Zs are spaces.
    return all(
        character.isspace() or character in INKLESS or unicodedata.category(character) in {"Cf", "Zs"}
        for character in value
    )


def _is_hidden(character: str) -> bool:
    # Cc are control characters, Cs the halves of surrogate pairs; Zl and Zp break lines unseen.
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in BIDI_CONTROLS
