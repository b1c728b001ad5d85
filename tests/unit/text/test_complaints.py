"""Validation of text from users."""

import pytest

from multitask import text


@pytest.mark.parametrize("value", ["a", "Ünïcode 日本語 👩‍🚀", "<b>&amp;</b>", "عربي", " spaces around "])
def test_ordinary_text_is_welcome(value: str) -> None:
    assert text.complaint(value, longest=100, shortest=1) is None


@pytest.mark.parametrize(
    "hidden", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\u200f", "\ud800", "\n", "\t"]
)
def test_hidden_characters_are_refused_wherever_they_stand(hidden: str) -> None:
    for value in (f"a{hidden}b", f"{hidden}ab", f"ab{hidden}"):
        assert text.complaint(value, longest=100) == f"The character U+{ord(hidden):04X} is not allowed here."


@pytest.mark.parametrize("blank", ["\u200b", "\u200d \ufeff", "\u00ad", "\u2800", "\u3164", "\u00a0"])
def test_a_text_of_which_nothing_can_be_seen_is_empty(blank: str) -> None:
    assert text.complaint(blank, longest=100, shortest=1) == "This may not be empty."
    assert text.complaint(blank + "a", longest=100, shortest=1) is None


def test_lines_are_allowed_where_lines_are_expected() -> None:
    assert text.complaint("one\n\ttwo", longest=100, lines=True) is None
    assert text.complaint("one\rtwo", longest=100, lines=True) is not None


@pytest.mark.parametrize(
    ("value", "is_refused"), [("", True), ("  ", True), ("a", False), ("x" * 5, False), ("x" * 6, True)]
)
def test_lengths_are_bounded(value: str, is_refused: bool) -> None:
    assert (text.complaint(value, shortest=1, longest=5) is not None) is is_refused


def test_tidying_drops_white_space_around_and_nothing_hidden() -> None:
    assert text.tidy(" a\r\nb\n ") == "a\nb"
    assert text.tidy("a\u2028") == "a\u2028"
