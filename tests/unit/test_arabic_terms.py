"""The Arabic catalogue uses one word per thing, as docs/arabic.md lists them."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "multitask/web/pages/locale/ar/LC_MESSAGES/django.po"
TABLE = re.compile(r"^\| ([^|]+) \| ([^|]+) \|([^|]*)\|$", re.MULTILINE)
VOWEL_SIGNS = re.compile("[\u064b-\u0650\u0652]")
# What may stand before and after a word: particles and the article, and endings.
BEFORE, AFTER = "(?<![ء-ي])(?:[وفبكل]|ال|[وفبك]ال|لل|و?لل)?", "(?:ك|ه|ها|هم|نا|ي|ًا|ا|ة)?(?![ء-ي])"


def terms() -> dict[str, tuple[str, list[str]]]:
    """The table: by English term, the Arabic one and the words that are not used for it."""
    page = (ROOT / "docs/arabic.md").read_text()
    rows = TABLE.findall(page[page.index("## Terms") : page.index("## Amounts")])
    listed = {
        english: (arabic, [word.strip() for word in others.split("،") if word.strip()])
        for english, arabic, others in rows
    }
    return {english: found for english, found in listed.items() if english not in {"English", "---"}}


def sentences() -> list[str]:
    with CATALOGUE.open("rb") as file:
        catalog = read_po(file, locale="ar")
    forms = [
        form
        for message in catalog
        if message.id
        for form in ([message.string] if isinstance(message.string, str) else message.string)
    ]
    return [VOWEL_SIGNS.sub("", form) for form in forms]


FORBIDDEN = [word for _arabic, others in terms().values() for word in others]


def test_the_table_names_the_terms() -> None:
    assert len(terms()) > 20
    assert len(FORBIDDEN) > 15


@pytest.mark.parametrize("word", FORBIDDEN)
def test_a_word_that_is_not_ours_does_not_occur(word: str) -> None:
    pattern = re.compile(BEFORE + re.escape(VOWEL_SIGNS.sub("", word)) + AFTER)
    assert [sentence for sentence in sentences() if pattern.search(sentence)] == []


@pytest.mark.parametrize(
    ("english", "arabic"),
    [
        ("Money in", "وارد"),
        ("Money out", "صادر"),
        ("automatic release", "الإفراج التلقائي"),
        ("Automatic release", "الإفراج التلقائي"),
        ("Action needed", "ما يتطلب إجراءً منك"),
        ("Country of your bank", "بلد بنكك"),
    ],
)
def test_the_most_seen_words_are_these(english: str, arabic: str) -> None:
    with CATALOGUE.open("rb") as file:
        found = read_po(file, locale="ar").get(english)
    assert found is not None
    assert found.string == arabic
