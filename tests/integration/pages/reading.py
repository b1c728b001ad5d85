"""What a reader sees of an answer, and what a page may cost."""

import csv
import io
import re
from typing import Any, Final, Protocol

MOST_STATEMENTS: Final = 12


class Answer(Protocol):
    """The part of the test client's answers that is read."""

    content: bytes


def text_of(answer: Answer) -> str:
    """The words of a page, without tags and runs of spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def lines_of(answer: Any) -> list[dict[str, str]]:
    """The lines of a CSV file that was streamed."""
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content, newline="")))
