"""Charts as SVG shapes, drawn by the server, with the values that the words and the table beside them need.

Shapes fit a box of WIDTH by HEIGHT. A chart is None when there is nothing to draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from multitask.money import Money
from multitask.payments.reads.trends import Point

WIDTH: Final = 600
HEIGHT: Final = 160
_GAP: Final = 0.3  # of the stretch that each moment has
_LEAST: Final = 2  # so that a small amount is visible


@dataclass(frozen=True, slots=True)
class Count:
    """A number of things at a moment, or in the period that begins with it."""

    at: datetime
    amount: int


Value: TypeAlias = Point | Count


@dataclass(frozen=True, slots=True)
class Series:
    """Values over the same moments as the other series of a chart, with their colour class and label."""

    values: Sequence[Value]
    tone: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line over time with the area below it, as SVG path data."""

    line: str
    area: str
    points: list[Point]
    top: Money
    first: Point
    last: Point
    highest: Point


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its place and size, and the value that it shows."""

    x: str
    y: str
    width: str
    height: str
    tone: str
    label: str
    at: datetime
    amount: Money | int


@dataclass(frozen=True, slots=True)
class Columns:
    """A column for each value; those of one moment stand side by side."""

    columns: list[Column]
    top: Money | int
    total: Money | int
    highest: Column
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Meter:
    """One line of a list with a bar: how many there are and how many of them are bad, with lengths in hundredths."""

    label: str
    number: int
    bad: int
    length: int
    bad_length: int


def curve(points: Sequence[Point]) -> Curve | None:
    """Draw amounts over time."""
    if len(points) < 2 or not any(point.amount.amount_minor for point in points):
        return None
    top = _round_up(max(point.amount.amount_minor for point in points))
    began, span = points[0].at, (points[-1].at - points[0].at).total_seconds()
    spots = [
        (WIDTH * (point.at - began).total_seconds() / span, _height(point.amount.amount_minor, top)) for point in points
    ]
    line = "M" + "L".join(f"{x:.1f} {HEIGHT - y:.1f}" for x, y in spots)
    return Curve(
        line=line,
        area=f"{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z",
        points=list(points),
        top=Money(top, points[0].amount.currency),
        first=points[0],
        last=points[-1],
        highest=max(points, key=lambda point: point.amount.amount_minor),
    )


def columns(*series: Series) -> Columns | None:
    """Draw one or more series as columns, by moment."""
    values = [value for each in series for value in each.values]
    if not any(_number(value.amount) for value in values):
        return None
    top = _round_up(max(_number(value.amount) for value in values))
    drawn = [
        _column(each, place, moment, top, series)
        for place, each in enumerate(series)
        for moment in range(len(each.values))
    ]
    return Columns(
        columns=drawn,
        top=_like(values[0].amount, top),
        total=_like(values[0].amount, sum(_number(value.amount) for value in values)),
        highest=max(drawn, key=lambda column: _number(column.amount)),
        first=series[0].values[0].at,
        last=series[0].values[-1].at,
    )


def _column(series: Series, place: int, moment: int, top: int, beside: Sequence[Series]) -> Column:
    stretch = WIDTH / len(series.values)
    width = stretch * (1 - _GAP) / len(beside)
    value = series.values[moment]
    number = _number(value.amount)
    height = max(_LEAST, _height(number, top)) if number > 0 else 0.0
    return Column(
        x=f"{stretch * (moment + _GAP / 2) + width * place:.1f}",
        y=f"{HEIGHT - height:.1f}",
        width=f"{width:.1f}",
        height=f"{height:.1f}",
        tone=series.tone,
        label=series.label,
        at=value.at,
        amount=value.amount,
    )


def meters(rows: Sequence[tuple[str, int, int]]) -> list[Meter]:
    """Draw a bar for each row (label, number, how many are bad), all on the scale of the highest number."""
    highest = max((number for _label, number, _bad in rows), default=0) or 1
    return [Meter(label, number, bad, number * 100 // highest, bad * 100 // highest) for label, number, bad in rows]


def _number(amount: Money | int) -> int:
    return amount.amount_minor if isinstance(amount, Money) else amount


def _like(amount: Money | int, number: int) -> Money | int:
    """Return the number as what the amount is: money of its currency, or a count."""
    return Money(number, amount.currency) if isinstance(amount, Money) else number


def _height(number: int, top: int) -> float:
    """Return the height of a value; one below zero has none."""
    return max(0, number) * HEIGHT / top


def _round_up(number: int) -> int:
    """Return the next number of one leading digit, or of 1.5 or 2.5, so that the scale is easy to read."""
    size: int = 10 ** max(0, len(str(max(number, 1))) - 1)
    steps = (10, 15, 20, 25, 30, 40, 50, 60, 80, 100)
    return next(top for step in steps if (top := size * step // 10) >= max(number, 1))
