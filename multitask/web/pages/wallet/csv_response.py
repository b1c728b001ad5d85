"""CSV exports: streamed row by row, with formulas made harmless for spreadsheets."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from django.http import StreamingHttpResponse

# Characters that begin a formula in a spreadsheet, with their full-width forms.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# The byte order mark makes spreadsheets read the text as UTF-8.
_MARK: Final = "\ufeff"


class _Line:
    """A file object for the csv module that returns each line instead of storing it."""

    def write(self, line: str) -> str:
        """Return what is written."""
        return line


def safe(cell: str) -> str:
    """Return the cell, with an apostrophe in front if a spreadsheet would calculate it."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def lines(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the heading and each row as one line."""
    writer = csv.writer(_Line())
    yield _MARK + writer.writerow(heading)
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])


def response(name: str, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> StreamingHttpResponse:
    """Return a download that is sent while it is written."""
    download = StreamingHttpResponse(lines(heading, rows), content_type="text/csv; charset=utf-8")
    download["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    download["Cache-Control"] = "no-store"
    return download
