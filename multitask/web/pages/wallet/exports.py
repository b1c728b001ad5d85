"""Tables as CSV: written row by row as they are read, and harmless in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from django.http import StreamingHttpResponse

# What a spreadsheet takes for the beginning of a formula, in its full-width spelling too.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Tells spreadsheets that the text is UTF-8.
_MARK: Final = "\ufeff"


class _Line:
    """A file for the csv module that hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        """Answer what is written."""
        return line


def safe(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would calculate."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def lines(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write the heading and each row as one line."""
    writer = csv.writer(_Line())
    yield _MARK + writer.writerow(heading)
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])


def answer(name: str, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> StreamingHttpResponse:
    """Answer with a file that is sent while it is written."""
    response = StreamingHttpResponse(lines(heading, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["Cache-Control"] = "no-store"
    return response
