"""What a reader sees of an answer, and what a page may cost."""

import re
from typing import Final, Protocol

MOST_STATEMENTS: Final = 12


class Answer(Protocol):
    """The part of the test client's answers that is read."""

    content: bytes


def text_of(answer: Answer) -> str:
    """The words of a page, without tags and runs of spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))
