"""Model instances from rows that a function of the database returns as JSON."""

import functools
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import DateTimeField, Model, UUIDField

Row = TypeVar("Row", bound=Model)


def moment(written: str | None) -> datetime | None:
    """Return a moment, which JSON has as text."""
    return None if written is None else datetime.fromisoformat(written)


def with_moments(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a row with these columns as moments."""
    return row | {name: moment(row[name]) for name in names}


def instance(model: type[Row], row: Mapping[str, Any]) -> Row:
    """Return the instance of a row; columns that the row lacks are read from the database once they are needed."""
    readers = _readers(model)
    names = [name for name in readers if name in row]
    values = [row[name] if (read := readers[name]) is None else read(row[name]) for name in names]
    return model.from_db(DEFAULT_DB_ALIAS, names, values)


@functools.cache
def _readers(model: type[Model]) -> dict[str, Callable[[Any], Any] | None]:
    """Return, for each column in order, how its value is read; None for what JSON has itself."""
    return {field.attname: _reader(field) for field in model._meta.concrete_fields}


def _reader(field: Any) -> Callable[[Any], Any] | None:
    if isinstance(field, DateTimeField):
        return moment
    if isinstance(field, UUIDField):
        return lambda written: None if written is None else uuid.UUID(written)
    return None
