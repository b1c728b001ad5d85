"""What people write differently is folded to the same words."""

import pytest

from multitask.text import folding


@pytest.mark.parametrize(
    "alike",
    [
        ["أحمد", "احمد", "إحمد", "آحمد", "ٱحمد", "أَحْمَد", "احـــمد"],
        ["مصطفى", "مصطفي", "مصطفی"],
        ["مدرسة", "مدرسه", "مدرسةٌ"],
        ["مسؤول", "مسئول"],
        ["شئون", "شؤون"],
        ["رءوس", "رؤوس", "رُؤُوس"],
        ["قائمة", "قايمه"],
        ["إنشاء", "انشا"],
        ["ڤيديو", "فيديو"],
        ["ﻻﻋﺐ", "لاعب"],
        ["٢٠٢٦", "۲۰۲۶", "2026"],
        ["Élan", "elan", "E\u0301LAN"],
        ["Straße", "STRASSE"],
        ["Łódź", "lodz"],
        ["Ægir", "aegir"],
        ["ﬁle", "FILE"],
        ["ΣΊΣΥΦΟΣ", "σισυφος"],
        ["Йогурт", "иогурт"],
        ["logo-design", "Logo  DESIGN!", " (logo)/design", "logo،design"],
        ["مي\u200cشود", "ميشود"],
    ],
)
def test_spellings_of_one_text_are_equal(alike: list[str]) -> None:
    assert len({folding.folded(text) for text in alike}) == 1


@pytest.mark.parametrize(("one", "other"), [("علم", "قلم"), ("باب", "ياب"), ("logo", "lego"), ("ح", "خ"), ("س", "ش")])
def test_letters_that_differ_stay_apart(one: str, other: str) -> None:
    assert folding.folded(one) != folding.folded(other)


def _finds(wanted: str, text: str) -> bool:
    return {word.strip("'") for word in folding.query(wanted).split(" & ")} <= folding.lexemes(text)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("تصميم", "التصميم"), ("التصميم", "تصميم"), ("تصميم", "للتصميم"), ("تصميم", "والتصميم"), ("تصميم", "بتصميم"),
        ("شركة", "لِشركةٍ"), ("الشركه", "وبالشركة"), ("شعار شركة", "شركة تريد شعارًا"), ("تصم", "التصميم"),
        ("الكتروني", "إلكترونيات"), ("والدة", "والده"), ("ولد", "ولد"), ("فن", "الفنّ"), ("ال", "الفن"),
        ("web", "A website"),
    ],
)  # fmt: skip
def test_words_are_found_with_and_without_what_is_joined_to_them(wanted: str, text: str) -> None:
    assert _finds(wanted, text)


@pytest.mark.parametrize(("wanted", "text"), [("site", "A website"), ("قلم", "علم"), ("logo red", "logo blue")])
def test_other_words_are_not_found(wanted: str, text: str) -> None:
    assert not _finds(wanted, text)


@pytest.mark.parametrize("empty", ["", " ", "%", "'", "\\", "—", "؟!", "\u0640", "\u064b", "&|:*()<->"])
def test_text_without_words_finds_nothing(empty: str) -> None:
    assert folding.query(empty) == ""


def test_a_query_cannot_leave_its_quotes() -> None:
    assert folding.query("a'b\\c:*|d") == "'a' & 'b' & 'c' & 'd'"


def test_a_long_word_is_found_by_its_first_letters() -> None:
    assert folding.lexemes("internationalization") >= {"in", "internationaliz"}
    assert folding.query("internationalization") == "'internationaliz'"


def test_a_beginning_has_two_letters_and_a_word_may_have_one() -> None:
    assert folding.lexemes("b2 x") == {"b2", "x"}
