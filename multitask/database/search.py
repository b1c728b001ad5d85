"""Select rows by the words of their `search` column, a `tsvector` with a GIN index that SQL computes."""

from typing import Any, Final, TypeVar

from django.db.models import BooleanField, Model, QuerySet
from django.db.models.expressions import RawSQL

# A search finds at most so many rows, the newest: reading and counting all matches would help nobody.
MOST_FOUND: Final = 200

Row = TypeVar("Row", bound=Model)


def matching(rows: QuerySet[Row], query: str) -> QuerySet[Row]:
    """Select the rows that match a `tsquery`, as `text.folding.query` writes it; none for an empty one."""
    if not query:
        return rows.none()
    column = f'"{rows.model._meta.db_table}"."search"'
    condition = RawSQL(f"{column} @@ %s::tsquery", [query], output_field=BooleanField())  # noqa: S611
    return rows.filter(condition)


def newest(rows: QuerySet[Any], query: str, *, most: int = MOST_FOUND) -> list[int]:
    """Return the ids of the newest rows that match a `tsquery`, newest first, at most `most`.

    PostgreSQL walks the primary key for words that many rows have, and uses the index for rare ones. Read the rows
    by these ids: of a query for everything it could choose another plan.
    """
    return list(matching(rows, query).order_by("-pk").values_list("pk", flat=True)[:most])
