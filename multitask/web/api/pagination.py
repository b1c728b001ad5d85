"""Cut lists into pages: `page` from 1, `page_size` (or `limit`) rows, at most 100."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Query
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from multitask import database
from multitask.web.api import validation
from multitask.web.api.schemas import Page

PAGE_SIZE = 20
PAGE_SIZE_MAX = 100
# Beyond this the database would count rows for minutes to skip them.
PAGE_MAX = 100_000

Row = TypeVar("Row")
Out = TypeVar("Out")


class Paging(BaseModel):
    """Which page is asked for."""

    page: int = Field(1, ge=1, le=PAGE_MAX)
    page_size: int | None = Field(
        None, ge=1, description=f"Rows per page; {PAGE_SIZE} by default. More than {PAGE_SIZE_MAX} gives that many."
    )
    limit: int | None = Field(None, ge=1, description="The same as page_size.")

    @field_validator("limit")
    @classmethod
    def same_as_page_size(cls, value: int | None, info: ValidationInfo) -> int | None:
        """Refuse two different sizes."""
        return validation.same(value, info.data.get("page_size"), "page_size")

    @property
    def size(self) -> int:
        """Return the number of rows per page."""
        return min(self.page_size or self.limit or PAGE_SIZE, PAGE_SIZE_MAX)

    @property
    def offset(self) -> int:
        """Return the number of rows before the page."""
        return (self.page - 1) * self.size


PageQuery = Query[Paging]


@database.snapshot
def page(request: HttpRequest, paging: Paging, rows: QuerySet[Any, Row], show: Callable[[Row], Out]) -> Page[Out]:
    """Make the page of an ordered query; count and rows are of one moment."""
    total = rows.count()
    shown = [show(row) for row in rows[paging.offset : paging.offset + paging.size]] if total > paging.offset else []
    return of(request, paging, shown, count=total)


class Links(NamedTuple):
    """The addresses of the pages beside this one, where there are any."""

    next: str | None
    previous: str | None


def links(request: HttpRequest, paging: Paging, *, count: int) -> Links:
    """Return the addresses of the next page and of the one before."""
    has_next = paging.offset + paging.size < count
    last = max(1, -(-count // paging.size))
    return Links(
        _address(request, paging.page + 1) if has_next else None,
        # Beyond the end, the last page that has rows.
        _address(request, min(paging.page - 1, last)) if paging.page > 1 else None,
    )


def of(request: HttpRequest, paging: Paging, results: list[Out], *, count: int) -> Page[Out]:
    """Make the page of rows that the caller has read already."""
    beside = links(request, paging, count=count)
    return Page(count=count, next=beside.next, previous=beside.previous, results=results)


def _address(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
