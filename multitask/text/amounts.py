"""Read amounts as people write them: Arabic digits and separators, thousands, the currency beside the number.

Only what has one meaning is read. "1,234" may be one thousand or one and a fraction, so it is not; "1,234.50" and
"85,5" have one meaning each. docs/arabic.md lists the rules.
"""

import re
from typing import Final

from multitask import text

_DIGITS: Final = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
# No-break and thin spaces, with which numbers are grouped.
_SPACES: Final = re.compile("[ \u00a0\u2007\u2009\u202f]+")
_VOWEL_SIGNS: Final = re.compile("[\u064b-\u0652]")

_ARABIC_DECIMAL, _ARABIC_THOUSANDS, _ARABIC_COMMA = "\u066b", "\u066c", "\u060c"
_NUMBER: Final = re.compile(rf"[0-9](?:[0-9.,{_ARABIC_DECIMAL}{_ARABIC_THOUSANDS} ]*[0-9])?")
_PLAIN: Final = re.compile(r"0|[1-9][0-9]*")
_GROUPED: Final = re.compile(
    rf"[1-9][0-9]{{0,2}}(?:(?P<mark>[., {_ARABIC_THOUSANDS}])[0-9]{{3}})(?:(?P=mark)[0-9]{{3}})*"
)

# What people write beside a number, without dots and spaces, by currency. Left out is what names several currencies
# among neighbours, such as "£" for the Egyptian pound or "دينار" alone.
_WORDS: Final[dict[str, frozenset[str]]] = {
    "EGP": frozenset(
        {"جم", "جنيه", "جنيها", "جنيهات", "جنيهمصري", "جنيهامصريا", "جنيهاتمصرية", "£e", "e£", "le"}
    ),
    "USD": frozenset({"$", "us$", "دولار", "دولارا", "دولارات", "دولارأمريكي", "دولارامريكي"}),
    "EUR": frozenset({"€", "يورو"}),
    "GBP": frozenset({"£", "gb£", "جنيهإسترليني", "جنيهاسترليني"}),
    "SAR": frozenset({"رس", "ريالسعودي"}),
    "AED": frozenset({"دإ", "درهمإماراتي", "درهماماراتي"}),
    "KWD": frozenset({"دك", "ديناركويتي"}),
    "JPY": frozenset({"¥", "ين"}),
}  # fmt: skip


def plain(written: str, currency: str) -> str | None:
    """Return an amount as a plain decimal number such as "1234.50", or None if it has no or several meanings.

    Digits of two scripts in one number, signs and words of another currency are refused.
    """
    visible = _SPACES.sub(" ", text.visible_number(written)).strip(" ")
    western = visible.translate(_DIGITS)
    if western != visible and re.search(r"[0-9]", visible):
        return None
    # The Arabic comma stands where others write a comma, between thousands or before the decimals.
    western = western.replace(_ARABIC_COMMA, ",")
    found = _NUMBER.search(western)
    if found is None or not _names(western[: found.start()], western[found.end() :], currency):
        return None
    return _decimal(found.group())


def _names(before: str, after: str, currency: str) -> bool:
    """Return whether the text on at most one side of the number names this currency."""
    sides = [side for side in (before, after) if side.strip()]
    if not sides:
        return True
    word = re.sub("[. ]", "", _VOWEL_SIGNS.sub("", sides[0])).lower()
    return len(sides) == 1 and (word == currency.lower() or word in _WORDS.get(currency, ()))


def _decimal(number: str) -> str | None:
    """Return a number with its thousands joined and a point before the decimals; None if its marks are ambiguous."""
    mark = _decimal_mark(number)
    whole, _, fraction = number.rpartition(mark) if mark else (number, "", "")
    grouped = _GROUPED.fullmatch(whole)
    if not _PLAIN.fullmatch(whole) and (grouped is None or grouped["mark"] == mark):
        return None
    joined = re.sub("[^0-9]", "", whole)
    if not mark:
        return joined
    # Three digits after the only comma may be thousands.
    if mark == "," and len(fraction) == 3 and _GROUPED.fullmatch(number):
        return None
    return f"{joined}.{fraction}" if fraction.isdigit() else None


def _decimal_mark(number: str) -> str:
    """Return the mark before the decimals, or "" if there are none."""
    if _ARABIC_DECIMAL in number:
        return _ARABIC_DECIMAL
    last = max(number.rfind("."), number.rfind(","))
    mark = number[last] if last >= 0 else ""
    # A mark that comes twice stands between thousands.
    return mark if number.count(mark or " ") == 1 else ""
