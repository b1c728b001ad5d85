"""The comparison at the end of the story: which differences it accepts."""

from stack.books import Comparison, differing


def compared(ledger: int, sandbox: int) -> list[Comparison]:
    return [Comparison("fees", ledger, sandbox)]


def test_books_that_are_equal_pass_whatever_was_before() -> None:
    assert differing(compared(320, 320), {}) == []
    assert differing(compared(320, 320), {"fees": -1_500}) == []


def test_a_gap_that_stood_before_the_story_is_not_its_doing() -> None:
    assert differing(compared(320, 1_820), {"fees": -1_500}) == []


def test_any_gap_of_the_story_itself_is_found() -> None:
    for ledger, before in ((319, {}), (319, {"fees": -1_500}), (319, {"fees": 1}), (321, {"balance": 1})):
        assert differing(compared(ledger, 320), before) == compared(ledger, 320)
