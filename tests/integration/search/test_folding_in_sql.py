"""The SQL functions fold as the Python functions do."""

import unicodedata

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multitask.text import folding

# Letters that are folded, with what stands around them, more often than chance would have it.
_NEAR = "اأإآٱءؤئىيیةهـًُّٰٕٓٔ والبكلف ٠٩۵ ڤپچکﻻﷲ ÉéßŁøæŒþıİςΣЙё a-B_c1½ﬁ \u200c\u200f\u00ad\u0301"
texts = st.text(
    st.one_of(
        st.sampled_from(_NEAR), st.characters(codec="utf-8", exclude_categories=["Cs", "Cn"], exclude_characters="\0")
    ),
    max_size=80,
)


def _in_sql(function: str, value: str) -> object:
    with connection.cursor() as database:
        database.execute(f"SELECT {function}(%s)", [value])
        return database.fetchone()[0]


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts)
def test_both_fold_alike(db: None, value: str) -> None:
    assert _in_sql("search_folded", value) == folding.folded(value)
    words = _in_sql("search_lexemes", value)
    assert isinstance(words, list)
    assert set(words) == folding.lexemes(value)


def test_both_fold_every_letter_of_the_scripts_that_are_folded(db: None) -> None:
    blocks = [range(0x01, 0x530), range(0x600, 0x700), range(0x750, 0x780), range(0x8A0, 0x900), range(0x1E00, 0x2100),
              range(0xFB00, 0xFB10), range(0xFB50, 0xFE00), range(0xFE70, 0xFF70)]  # fmt: skip
    letters = [chr(code) for block in blocks for code in block if unicodedata.category(chr(code)) not in {"Cn", "Cs"}]
    with connection.cursor() as database:
        database.execute("SELECT letter, search_folded(letter) FROM unnest(%s::text[]) AS letter", [letters])
        different = [letter for letter, found in database.fetchall() if found != folding.folded(letter)]
    assert different == []
    assert len(letters) > 3_000


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts, st.text(max_size=30).filter(lambda text: text.isprintable()))
def test_a_query_is_always_one_that_postgresql_reads(db: None, value: str, wanted: str) -> None:
    query = folding.query(wanted)
    if query:
        with connection.cursor() as database:
            database.execute(
                "SELECT array_to_tsvector(search_lexemes(%s)) @@ %s::tsquery", [f"{value} {wanted}", query]
            )
            assert database.fetchone()[0] is True


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000,
        "س" * 10_000,
        "ﷺ" * 2_000,
        # The most and longest lexemes that a description of 10,000 characters can have.
        " ".join(f"وال{chr(0x20000 + n) * 12}" for n in range(625)),
    ],
)
def test_the_longest_descriptions_have_words(db: None, value: str) -> None:
    with connection.cursor() as database:
        database.execute("SELECT length(array_to_tsvector(search_lexemes(%s)))", [value])
        assert database.fetchone()[0] > 0
