"""Fold what people write differently, so that a search finds it: hamza forms, ya, ta marbuta, vowel signs, accents.

`folded` and `lexemes` do exactly what the SQL functions `search_folded` and `search_lexemes` do
(`multitask/database/sql/search.sql`); a property test holds them equal. Nothing here depends on a locale or on an
extension of PostgreSQL. docs/arabic.md says what is folded and why.

A text is stored with the beginnings of its words as lexemes of their own, so that a search for a beginning is a search
for one lexeme: PostgreSQL then knows how many rows have it, and can choose between the index and the newest rows.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

# Longer words are found by their first letters: all beginnings of all words have to fit into one `tsvector`.
LONGEST: Final = 15

# Combining marks of Latin, Greek, Cyrillic and Arabic, except the hamza and madda above and below letters.
_MARKS: Final = (
    "\u0300-\u036f\u0483-\u0487\u0610-\u061a\u064b-\u0652\u0656-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08d3-\u08ff"
)
# Tatweel, soft hyphen, joiners, direction marks, byte order mark.
_INVISIBLE: Final = "\u0640\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_REMOVED: Final = re.compile(f"[{_MARKS}{_INVISIBLE}]")
_HAMZA_MARKS: Final = re.compile("[\u0653-\u0655]")
# Everything else is part of a word: letters and digits of all scripts.
_SEPARATORS: Final = re.compile(
    "[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u060c\u060d\u061b\u061e\u061f\u066a-\u066d\u06d4"
    "\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u3000-\u3003\u3008-\u3011\ufe10-\ufe6f\ufffc-\uffff]+"
)

_LETTERS: Final = {
    **str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"),
    **str.maketrans("ŁłØøĐđÐðĦħıŦŧ", "llooddddhhitt"),
    **str.maketrans("ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩς", "αβγδεζηθικλμνξοπρστυφχψωσ"),
    **str.maketrans("АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ", "абвгдежзиклмнопрстуфхцчшщъыьэюя"),
    **str.maketrans("ЂЄЅІЈЉЊЋЏҐ", "ђєѕіјљњћџґ"),
    # Alef wasla; alef maqsura and Persian ya; ta marbuta and other forms of ha; forms of kaf; pa, ve and che, which
    # Egyptians write with or without their three dots. A hamza on the line goes.
    **str.maketrans("ٱىیےةہەھکڪپڤچ", "ايييههههككبفج", "ء"),
    **str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789"),
}
_PAIRS: Final = (("ß", "ss"), ("ẞ", "ss"), ("æ", "ae"), ("Æ", "ae"), ("œ", "oe"), ("Œ", "oe"), ("þ", "th"), ("Þ", "th"))

# The article, alone or behind the particles that are written together with it.
_ARTICLE: Final = re.compile(r"ال(?=..)|[وفبك]ال(?=...)|لل(?=...)|[وف](?:[بك]ال|لل)(?=...)")
# Particles of one letter that are written together with the next word.
_PARTICLE: Final = re.compile(r"[وفبلك](?=...)")
_SHORTEST_BEHIND_PARTICLE: Final = 4


def folded(value: str) -> str:
    """Return the words of a text in the form in which they are compared, separated by one space each."""
    plain = _REMOVED.sub("", unicodedata.normalize("NFKD", value))
    # "مسئول" and "مسؤول", "شئون" and "شؤون", "رءوس" and "رؤوس" are the same words.
    plain = plain.replace("ي\u0654و", "وو").replace("ءو", "وو")
    plain = _HAMZA_MARKS.sub("", plain).translate(_LETTERS)
    for letter, pair in _PAIRS:
        plain = plain.replace(letter, pair)
    return _SEPARATORS.sub(" ", plain).strip(" ")


def lexemes(value: str) -> set[str]:
    """Return under what a text is found: the beginnings, from two letters on, of each word in each of its forms.

    The forms are the word as it is, without the article, and without a particle.
    """
    words = {word for word in folded(value).split(" ") if word}
    forms = {form for word in words for form in _forms(word)}
    return {form[:letters] for form in forms for letters in range(min(2, len(form)), min(LONGEST, len(form)) + 1)}


def query(wanted: str, *, prefix: str = "") -> str:
    """Return the `tsquery` for texts that have words beginning with all of these, or "" if there are no words.

    `prefix` is put before each word. A word is searched for in each of its forms: "بالغين" is "adults", and also "in
    the" with a word behind it, and only its writer knows which. The text has the same forms, so the two meet in the
    word that both have, whatever is joined to it on either side.
    """
    words = dict.fromkeys(word for word in folded(wanted).split(" ") if word)
    return " & ".join(dict.fromkeys(_any_of(_wanted_forms(word), prefix) for word in words))


def _any_of(forms: Iterable[str], prefix: str) -> str:
    """Return the part of a `tsquery` for one word. Folded, it has neither quotes nor backslashes: they separate."""
    written = list(dict.fromkeys(f"'{prefix}{form[:LONGEST]}'" for form in forms))
    return written[0] if len(written) == 1 else f"({' | '.join(written)})"


def _forms(word: str) -> tuple[str, str, str]:
    """Return a word as it is, without the article, and without a particle."""
    return word, _without(_ARTICLE, word), _without(_PARTICLE, word)


def _wanted_forms(word: str) -> tuple[str, ...]:
    """Return the forms of a searched word. Of a short one the first letter stays, which is hardly ever a particle.

    Without it "كتاب", a book, would find all that begins with "تاب".
    """
    whole, bare, behind_particle = _forms(word)
    return (whole, bare, behind_particle) if len(behind_particle) >= _SHORTEST_BEHIND_PARTICLE else (whole, bare)


def _without(beginning: re.Pattern[str], word: str) -> str:
    found = beginning.match(word)
    return word[found.end() :] if found else word
