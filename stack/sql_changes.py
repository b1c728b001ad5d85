"""Mutations of a file of SQL, one at a time: for the functions of the database what cosmic-ray is for Python."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A pattern and its replacement. Comments and quoted strings are not changed.
BREAKS = (
    (r" <> ", " = "),
    (r" >= ", " > "),
    (r" <= ", " < "),
    (r" < ", " <= "),
    (r" > ", " >= "),
    (r" = ", " <> "),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" AND ", " OR "),
    (r" OR (?!DELETE|TRUNCATE|UPDATE)", " AND "),
    (r"NOT EXISTS", "EXISTS"),
    (r" IS NOT NULL", " IS NULL"),
    (r" IS NULL", " IS NOT NULL"),
    (r" IS NOT TRUE", ""),
    (r" IS DISTINCT FROM ", " IS NOT DISTINCT FROM "),
    (r" OR (DELETE|TRUNCATE|UPDATE)\b", ""),
    (r"\bgreatest\(", "least("),
    (r"\bleast\(", "greatest("),
    (r"\bmin\(", "max("),
    (r"\bmax\(", "min("),
    (r"CHECK \(", "CHECK (true OR "),
    (r"ON CONFLICT [^\n]* DO NOTHING", ""),
    (r"\s+FOR NO KEY UPDATE OF balance", ""),
    (r"\s+ORDER BY (?!leg\.position)[^\n;)]*", ""),
    (r"CREATE UNIQUE INDEX", "CREATE INDEX"),
    (r"ENABLE ALWAYS TRIGGER", "DISABLE TRIGGER"),
    (r"ENABLE ALWAYS TRIGGER", "ENABLE TRIGGER"),
    (r"\nREVOKE [^;]*;", ""),
    (r"SECURITY DEFINER", ""),
    (r"\bUNIQUE \([^)]*\)", "CHECK (true)"),
    (r" REFERENCES \w+ \(id\)", ""),
)
_LEFT_ALONE = re.compile(r"--[^\n]*|'[^']*'")


@dataclass(frozen=True, slots=True)
class Change:
    """One mutation: its line (from 1), the text before and after, and the whole mutated file."""

    line: int
    before: str
    after: str
    text: str


def changes(text: str) -> Iterator[Change]:
    """Yield the text with each change at each place, from the top."""
    closed = [match.span() for match in _LEFT_ALONE.finditer(text)]
    found = [(match, after) for pattern, after in BREAKS for match in re.finditer(pattern, text)]
    for match, after in sorted(found, key=lambda pair: pair[0].start()):
        start, end = match.span()
        if any(left <= start < right for left, right in closed):
            continue
        yield Change(
            line=text.count("\n", 0, start + len(match[0]) - len(match[0].lstrip())) + 1,
            before=match[0].strip(),
            after=after.strip(),
            text=text[:start] + after + text[end:],
        )
